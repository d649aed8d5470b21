#!/bin/sh
# Makes a Kubernetes cluster in Docker by kind (https://kind.sigs.k8s.io) when it is not there, builds the image,
# brings it in and deploys an overlay (OVERLAY, dev). `kind delete cluster --name tally` removes it all.
set -eu
cd "$(dirname "$0")/.."
for program in docker kind kubectl; do
  command -v $program >/dev/null || { echo "make kind needs $program" >&2; exit 1; }
done
kind get clusters 2>/dev/null | grep -qx tally || kind create cluster --config k8s/kind.yaml --wait 120s
IMAGE=tally:dev deploy/docker/build.sh
kind load docker-image tally:dev --name tally
kubectl config use-context kind-tally
# The production overlay names the image of a registry; here is the one that was just built.
IMAGE=tally:dev k8s/deploy.sh
