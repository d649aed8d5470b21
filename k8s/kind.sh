#!/bin/sh
# Creates a Kubernetes cluster in Docker by kind (https://kind.sigs.k8s.io) if it does not exist, builds and loads the
# image, and deploys an overlay (OVERLAY, dev). `kind delete cluster --name tally` removes everything.
set -eu
cd "$(dirname "$0")/.."
for program in docker kind kubectl; do
  command -v $program >/dev/null || { echo "make kind needs $program" >&2; exit 1; }
done
kind get clusters 2>/dev/null | grep -qx tally || kind create cluster --config k8s/kind.yaml --wait 120s
IMAGE=tally:dev deploy/docker/build.sh
kind load docker-image tally:dev --name tally
kubectl config use-context kind-tally
# The production overlay names an image in a registry; use the one that was just built.
IMAGE=tally:dev k8s/deploy.sh
