#!/bin/sh
# Removes the namespace of a build with everything in it, unless KEEP=true. Refuses other namespaces: a wrong setting of
# a build must not remove production.
set -eu
case ${NAMESPACE:-} in
  tally-build-*) ;;
  *) echo "NAMESPACE is not that of a build (tally-build-...): ${NAMESPACE:-empty}" >&2; exit 1 ;;
esac
if [ "${KEEP:-}" = true ]; then
  echo "$NAMESPACE stays"
  exit
fi
kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout="${TIMEOUT:-180s}"
