#!/bin/sh
# Returns every Deployment to its revision before the last deploy.sh, and waits until it serves. After a first
# deployment there is no such revision, and a message reports that. OVERLAY, NAMESPACE, TIMEOUT: as for deploy.sh.
set -eu
cd "$(dirname "$0")/.."
namespace=$(k8s/namespace.sh)
# Not piped into the loop: the failure of an unreachable cluster would be lost.
deployments=$(kubectl --namespace "$namespace" get deployment --output \
  'jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations.deployment\.kubernetes\.io/revision} {.metadata.annotations.tally/previous-revision}{"\n"}{end}')
if [ -z "$deployments" ]; then
  echo "Nothing is deployed in $namespace" >&2
  exit 1
fi
echo "$deployments" | while read -r name current previous; do
  if [ -z "$previous" ]; then
    echo "$name: no earlier revision"
    continue
  fi
  if [ "$current" != "$previous" ]; then
    kubectl --namespace "$namespace" rollout undo "deployment/$name" --to-revision="$previous"
  fi
  # The restored revision gets a new number, so the note is no longer valid.
  kubectl --namespace "$namespace" annotate "deployment/$name" tally/previous-revision- >/dev/null
  kubectl --namespace "$namespace" rollout status "deployment/$name" --timeout="${TIMEOUT:-180s}"
done
