#!/bin/sh
# Records the current revision on each Deployment, for rollback.sh. Runs before any change.
set -eu
cd "$(dirname "$0")/.."
namespace=$(k8s/namespace.sh)
kubectl --namespace "$namespace" get deployment --output \
  'jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations.deployment\.kubernetes\.io/revision}{"\n"}{end}' |
  while read -r name revision; do
    kubectl --namespace "$namespace" annotate --overwrite "deployment/$name" "tally/previous-revision=$revision" >/dev/null
  done
