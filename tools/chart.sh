#!/bin/sh
# Lints the Helm chart and renders it with every file of its folder ci/, into OUT/chart-NAME.yaml.
# Usage: tools/chart.sh [OUT]    default: reports/chart. HELM: another Helm than the pinned one
set -eu
cd "$(dirname "$0")/.."
out=${1:-reports/chart}
chart=deploy/helm/tally
if [ -z "${HELM:-}" ]; then
  tools/helm.sh
  HELM=.tools/bin/helm
fi
echo "Helm $("$HELM" version --template '{{.Version}}')"
mkdir -p "$out"
# A copy with the files that symbolic links name, as in a package: Helm mentions each link, each time.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -RL $chart "$work/tally"
for values in "$chart"/ci/*-values.yaml; do
  name=$(basename "$values" -values.yaml)
  "$HELM" lint --strict --quiet "$work/tally" --values "$values"
  # In a separate namespace, as the overlays are: kube-score compares objects of one namespace. Without a cluster, a
  # Helm that `go install` has built assumes an old version of Kubernetes.
  "$HELM" template tally "$work/tally" --kube-version 1.34.0 --namespace "tally-$name" --values "$values" \
    > "$out/chart-$name.yaml"
done
echo "Helm chart: nothing to say about $(find $chart/ci -name '*-values.yaml' | wc -l) files of values"
