#!/bin/sh
# Installs the pinned Helm at .tools/bin/helm. Helm 3 and not 4, because it builds in half of the time; the chart works
# with both.
# Usage: tools/helm.sh [4]    with `4`, installs Helm 4 at .tools/helm4/helm, for the cluster test
set -eu
cd "$(dirname "$0")/.."
homepage=https://helm.sh/docs/intro/install/
if [ "${1:-}" != 4 ]; then exec tools/go-tool.sh helm helm.sh/helm/v3/cmd/helm v3.22.0 $homepage; fi

helm4=v4.3.2
target=.tools/helm4/helm
if [ -x $target ] && go version -m $target | grep -q "^	mod	.*	$helm4	"; then exit; fi
if ! command -v go >/dev/null 2>&1; then
  echo "This needs Go (https://go.dev), or Helm $helm4 ($homepage) at $target" >&2
  exit 1
fi
echo "Building helm $helm4 into .tools/ ..." >&2
GOBIN="$PWD/.tools/helm4" go install "helm.sh/helm/v4/cmd/helm@$helm4"
