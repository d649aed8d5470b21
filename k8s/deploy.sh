#!/bin/sh
# Deploys an overlay to the cluster of KUBECONFIG and waits until everything in it is ready. OVERLAY: the overlay (dev).
# NAMESPACE: a namespace other than the overlay's. IMAGE: another image (registry.example.com/tally:1.2.3). TIMEOUT: how
# long to wait (180s). `rollback.sh` returns to the previous state.
set -eu
cd "$(dirname "$0")/.."
namespace=$(k8s/namespace.sh)

# Shows why something is not ready, such as an image that no node can pull or a volume that no storage class provides.
explain() {
  exitCode=$?
  if [ $exitCode != 0 ]; then
    {
      echo "Not everything in $namespace is ready:"
      kubectl --namespace "$namespace" get pods,persistentvolumeclaims
      kubectl --namespace "$namespace" get events --field-selector type=Warning --sort-by .lastTimestamp | tail -n 10
      echo "make cluster-logs saves the rest: events, descriptions, logs"
    } >&2
  fi
  exit $exitCode
}

work=reports/deploy
k8s/overlay-of.sh $work
# A Job cannot be changed, so delete the one of the previous deployment.
kubectl --namespace "$namespace" delete job migrate --ignore-not-found
k8s/note-revisions.sh
kubectl apply --kustomize $work
trap explain EXIT
if kubectl --namespace "$namespace" get job migrate --output name >/dev/null 2>&1; then
  kubectl --namespace "$namespace" wait --for=condition=complete job/migrate --timeout="${TIMEOUT:-180s}"
fi
for kind in statefulset deployment; do
  # Not piped into the loop, which would hide a failure.
  workloads=$(kubectl --namespace "$namespace" get $kind --output name)
  for one in $workloads; do
    kubectl --namespace "$namespace" rollout status "$one" --timeout="${TIMEOUT:-180s}"
  done
done
kubectl --namespace "$namespace" get pods,services
