#!/bin/sh
# Packages the Helm chart and pushes it to CHARTS (default: `charts` beside REPOSITORY), and prints it by digest. The image
# of the last push, or IMAGE=name@sha256:..., becomes the chart's default: one chart deploys one image. The digest is also
# in reports/supply-chain/chart, for make chart-sign and make chart-verify.
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${CHARTS:-}" ]; then
  : "${REPOSITORY:?names where images are pushed: registry.example.com/tally}"
  CHARTS=${REPOSITORY%/*}/charts
fi
image=$(deploy/image/reference.sh)
tools/helm.sh
deploy/image/registry-tool.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# With the files that symbolic links name.
cp -RL deploy/helm/tally "$work/tally"
sed -i "s|^  repository: .*|  repository: ${image%%@*}|; s|^  digest: .*|  digest: ${image#*@}|" "$work/tally/values.yaml"
.tools/bin/helm lint --strict --quiet "$work/tally"
.tools/bin/helm package "$work/tally" --destination "$work" >/dev/null
version=$(sed -n 's/^version: //p' "$work/tally/Chart.yaml")
case $CHARTS in
  localhost[:/]* | 127.0.0.1[:/]*) set -- --plain-http ;;
  *) set -- ;;
esac
.tools/bin/helm push "$work/tally-$version.tgz" "oci://$CHARTS" "$@" >&2
digest=$(.tools/bin/crane digest "$CHARTS/tally:$version")
deploy/image/record.sh chart "$CHARTS/tally@$digest"
