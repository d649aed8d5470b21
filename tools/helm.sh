#!/bin/sh
# Installs the pinned Helm at .tools/bin/helm. Helm 3 and not 4, because it builds in half of the time; the chart works
# with both.
# Usage: tools/helm.sh [4]    with `4`, installs Helm 4 at .tools/helm4/helm, for the cluster test
set -eu
homepage=https://helm.sh/docs/intro/install/
tool=$(dirname "$0")/go-tool.sh
if [ "${1:-}" = 4 ]; then exec "$tool" helm helm.sh/helm/v4/cmd/helm v4.3.2 $homepage .tools/helm4; fi
exec "$tool" helm helm.sh/helm/v3/cmd/helm v3.22.0 $homepage
