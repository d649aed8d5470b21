#!/bin/sh
# Prints IMAGE, or the image of the last push, and refuses one that is not named by digest: a tag can be moved between
# the check and its use. ARTIFACT=chart: the Helm chart of the last push instead.
set -eu
cd "$(dirname "$0")/../.."
if [ "${ARTIFACT:-image}" = chart ]; then IMAGE=${CHART:-}; fi
image=${IMAGE:-$(cat "reports/supply-chain/${ARTIFACT:-image}" 2>/dev/null || true)}
case $image in
  *@sha256:????????????????????????????????????????????????????????????????) echo "$image" ;;
  '') echo "IMAGE must name the image by digest (name@sha256:...), or make ${ARTIFACT:-image}-push must run before" >&2; exit 1 ;;
  *) echo "not by digest: $image" >&2; exit 1 ;;
esac
