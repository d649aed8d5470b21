#!/bin/sh
# url.sh api|prometheus: prints the URL of a Service of the deployment: SERVICE_URL or PROMETHEUS_URL if set, otherwise
# the address of its load balancer, after waiting for it. Prints nothing for a Prometheus that is not reachable from
# here. OVERLAY, NAMESPACE: as for deploy.sh.
set -eu
cd "$(dirname "$0")/.."
service=$1
if [ "$service" = api ]; then given=${SERVICE_URL:-}; else given=${PROMETHEUS_URL:-}; fi
if [ -n "$given" ]; then
  echo "$given"
  exit
fi
# An explicit address for the API alone does not mean that the cluster is reachable for the other.
if [ "$service" != api ] && [ -n "${SERVICE_URL:-}" ]; then exit; fi
namespace=$(k8s/namespace.sh)
type=$(kubectl --namespace "$namespace" get service "$service" --ignore-not-found --output 'jsonpath={.spec.type}')
if [ "$type" != LoadBalancer ]; then
  if [ "$service" != api ]; then exit; fi
  echo "The Service api in $namespace has no load balancer: set SERVICE_URL to its address" >&2
  exit 1
fi
path=/ready
if [ "$service" = prometheus ]; then path=/-/ready; fi
tries=0
while [ "$tries" -lt 120 ]; do
  address=$(kubectl --namespace "$namespace" get service "$service" --output \
    'jsonpath={.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}:{.spec.ports[0].port}')
  if [ "${address#:}" = "$address" ] && curl --silent --fail --max-time 3 "http://$address$path" >/dev/null; then
    echo "http://$address"
    exit
  fi
  tries=$((tries + 1))
  sleep 1
done
echo "The load balancer of $service in $namespace does not answer" >&2
exit 1
