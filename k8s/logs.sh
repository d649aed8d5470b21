#!/bin/sh
# Saves evidence of a failed deployment to reports/cluster-logs: events, descriptions, and every pod's log. OVERLAY,
# NAMESPACE: as for deploy.sh. Never fails: it runs when another step has already failed.
set -u
cd "$(dirname "$0")/.." || exit
namespace=$(k8s/namespace.sh)
out=reports/cluster-logs
mkdir -p $out
kubectl --namespace "$namespace" get events --sort-by=.lastTimestamp > $out/events.txt 2>&1
kubectl --namespace "$namespace" get all --output wide > $out/objects.txt 2>&1
kubectl --namespace "$namespace" describe deployments,pods > $out/descriptions.txt 2>&1
for pod in $(kubectl --namespace "$namespace" get pods --output name 2>/dev/null); do
  kubectl --namespace "$namespace" logs --all-containers "$pod" > "$out/${pod#pod/}.log" 2>&1
  kubectl --namespace "$namespace" logs --all-containers --previous "$pod" > "$out/${pod#pod/}.previous.log" 2>/dev/null ||
    rm -f "$out/${pod#pod/}.previous.log"
done
echo "Saved to $out"
