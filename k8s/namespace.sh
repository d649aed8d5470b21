#!/bin/sh
# Prints the namespace of the deployment: NAMESPACE, or that of OVERLAY (dev).
set -eu
cd "$(dirname "$0")/.."
if [ -n "${NAMESPACE:-}" ]; then echo "$NAMESPACE"; else sed -n 's/^namespace: //p' "k8s/overlays/${OVERLAY:-dev}/kustomization.yaml"; fi
