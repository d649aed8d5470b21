#!/bin/sh
# Runs the cluster test on kind: creates the cluster if it does not exist, builds two images, and gives each Service of
# type LoadBalancer a node's address, which kube-proxy then serves: kind has no load balancers. QUICK=1, PARTS and the
# other settings: docs/cluster-test.md. `kind delete cluster --name tally` removes the cluster.
set -eu
cd "$(dirname "$0")/.."
for program in docker kubectl; do
  command -v $program >/dev/null || { echo "make kind-cluster-test needs $program" >&2; exit 1; }
done
tools/go-tool.sh kind sigs.k8s.io/kind v0.33.0 https://kind.sigs.k8s.io
PATH=$PWD/.tools/bin:$PATH
export PATH
kind get clusters 2>/dev/null | grep -qx tally || kind create cluster --config k8s/kind.yaml --wait 120s
kubectl config use-context kind-tally
# The engine whose images kind uses.
export CONTAINER=docker
IMAGE=tally:rollout-1 VERSION=rollout-1 deploy/docker/build.sh
IMAGE=tally:rollout-2 VERSION=rollout-2 deploy/docker/build.sh

node=$(kubectl get nodes --output 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
while sleep 1; do
  kubectl get services --all-namespaces --output \
    'jsonpath={range .items[?(@.spec.type=="LoadBalancer")]}{.metadata.namespace} {.metadata.name} {.status.loadBalancer.ingress[0].ip}{"\n"}{end}' |
    while read -r namespace name address; do
      [ -n "$address" ] || kubectl --namespace "$namespace" patch service "$name" --subresource=status --patch \
        "{\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"$node\"}]}}}"
    done
done >/dev/null 2>&1 &
balancer=$!
trap 'kill $balancer' EXIT
IMAGE=tally:rollout-1 NEXT_IMAGE=tally:rollout-2 IMAGE_LOAD='kind load docker-image --name tally' make cluster-test
