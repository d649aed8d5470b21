#!/bin/sh
# Tests a deployment and prints one verdict: every Deployment and StatefulSet is rolled out, the API keeps its contract,
# and a small load through its Service loses nothing. Without a load balancer and SERVICE_URL it forwards a local port to
# the Service. OVERLAY, NAMESPACE, TIMEOUT: as for deploy.sh. API_KEY: for a deployment with keys.
# The functions are called by name.
# shellcheck disable=SC2317
set -u
cd "$(dirname "$0")/.." || exit
namespace=$(k8s/namespace.sh)
PATH="$(dirname "$(tools/bun.sh)"):$PATH"
export PATH
work=$(mktemp -d)
forward=
finish() {
  [ -z "$forward" ] || kill "$forward" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
results=
failed=0

# check NAME COMMAND...: runs it and notes the result.
check() {
  name=$1
  shift
  echo "--- $name"
  if "$@"; then results="$results
  passed  $name"; else
    results="$results
  FAILED  $name"
    failed=1
  fi
}

rolled_out() {
  kubectl --namespace "$namespace" get statefulset,deployment --output name > "$work/workloads" || return 1
  if [ ! -s "$work/workloads" ]; then
    echo "Nothing is deployed in $namespace" >&2
    return 1
  fi
  while read -r one; do
    kubectl --namespace "$namespace" rollout status "$one" --timeout="${TIMEOUT:-180s}" || return 1
  done < "$work/workloads"
}

# Sets SERVICE_URL to where the Service api answers.
find_service() {
  [ -z "${SERVICE_URL:-}" ] || return 0
  type=$(kubectl --namespace "$namespace" get service api --output 'jsonpath={.spec.type}') || return 1
  if [ "$type" = LoadBalancer ]; then
    SERVICE_URL=$(k8s/url.sh api) || return 1
    PROMETHEUS_URL=$(k8s/url.sh prometheus) || PROMETHEUS_URL=
    export PROMETHEUS_URL
  else
    kubectl --namespace "$namespace" port-forward --address 127.0.0.1 service/api :80 > "$work/forward" 2>&1 &
    forward=$!
    tries=0
    until SERVICE_URL=$(sed -n 's/^Forwarding from \(127[^ ]*\) .*/http:\/\/\1/p' "$work/forward") && [ -n "$SERVICE_URL" ]; do
      tries=$((tries + 1))
      if [ "$tries" -gt 100 ] || ! kill -0 "$forward" 2>/dev/null; then
        cat "$work/forward" >&2
        return 1
      fi
      sleep 0.2
    done
  fi
  export SERVICE_URL
}

check "every pod is rolled out" rolled_out
if [ "$failed" = 0 ]; then check "the Service answers" find_service; fi
if [ "$failed" = 0 ]; then
  check "the API keeps its contract" env BASE_URL="$SERVICE_URL" bun test/e2e/conformance/main.ts
  check "a small load loses nothing" env REPORT_DIR="${REPORT_DIR:-reports/load/test-deployment}" bun load/run.ts smoke
fi
echo
if [ "$failed" = 0 ]; then echo "$namespace: PASSED$results"; else echo "$namespace: FAILED$results"; fi
exit "$failed"
