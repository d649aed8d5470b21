#!/bin/sh
# Builds every overlay of k8s/ and deploy/argo/, base with every component, and the Helm chart, into reports/manifests/. Checks
# the output, and the examples for Argo CD and Flux, against the schemas of each supported Kubernetes version and with kube-score.
set -eu
cd "$(dirname "$0")/.."
tools/manifest-tools.sh
bin=.tools/bin
schemas=.tools/schemas
out=reports/manifests
rm -rf $out
mkdir -p $out

for overlay in k8s/overlays/*/; do
  $bin/kustomize build "$overlay" > "$out/$(basename "$overlay").yaml"
done
# Build all components together as well: this covers components that no overlay uses, and finds conflicts.
mkdir $out/everything
{
  printf 'namespace: tally\nresources: [../../../k8s/base]\ncomponents:\n'
  # In alphabetical order: one component may change what one before it has added.
  for component in k8s/components/*; do echo "  - ../../../$component"; done
} > $out/everything/kustomization.yaml
$bin/kustomize build $out/everything > $out/everything.yaml
# The Helm chart, in each of its variants, must pass the same checks.
tools/chart.sh $out

# Released by Argo Rollouts: with a Gateway, and by the number of pods.
$bin/kustomize build deploy/argo/overlays/production > $out/argo-gateway.yaml
mkdir $out/argo-pods
printf 'namespace: tally-loadtest\nresources: [../../../k8s/overlays/loadtest]\ncomponents: [../../../deploy/argo/canary]\n' \
  > $out/argo-pods/kustomization.yaml
$bin/kustomize build $out/argo-pods > $out/argo-pods.yaml
# A Gateway to try the former on.
$bin/kustomize build deploy/argo/traefik > $out/traefik.yaml
# Examples for delivery tools.
cp deploy/argo/application.yaml $out/argo-application.yaml
cp deploy/argo/application-canary.yaml $out/argo-application-canary.yaml
$bin/kustomize build deploy/flux > $out/flux.yaml

# The plain files are the overlays, with comments above; with IMAGE they differ by its name alone.
OUT=$out/plain tools/manifests-plain.sh >/dev/null
image=registry.example.com/another/tally@sha256:$(printf '%064d' 7)
IMAGE=$image OUT=$out/plain-image tools/manifests-plain.sh >/dev/null
for overlay in k8s/overlays/*; do
  name=$(basename "$overlay")
  sed '/^#/d' "$out/plain/tally-$name.yaml" | diff "$out/$name.yaml" -
  sed -E '/^#/d; s#image: .*tally[:@].*#image: tally#' "$out/plain-image/tally-$name.yaml" > "$out/renamed.yaml"
  sed -E 's#image: .*tally[:@].*#image: tally#' "$out/$name.yaml" | diff - "$out/renamed.yaml"
  expected=$(grep -cE 'image: .*tally[:@]' "$out/$name.yaml")
  found=$(grep -cF "image: $image" "$out/plain-image/tally-$name.yaml")
  if [ "$found" != "$expected" ]; then
    echo "tools/manifests-plain.sh sets IMAGE in $found of $expected places of $name" >&2
    exit 1
  fi
done
rm "$out/renamed.yaml"

valid_for() {
  version=$1
  shift
  $bin/kubeconform -strict -summary -kubernetes-version "$version" \
    -schema-location "$schemas/kubernetes/{{ .NormalizedKubernetesVersion }}/{{ .ResourceKind }}{{ .KindSuffix }}.json" \
    -schema-location "$schemas/crds/{{ .Group }}/{{ .ResourceKind }}-{{ .ResourceAPIVersion }}.json" "$@"
}
# Control cases: a misspelled field must fail the check.
refuses() {
  if sed "$3" "$out/$2.yaml" | valid_for "$1" >/dev/null; then
    echo "kubeconform accepts $3 in $2 for Kubernetes $1" >&2
    exit 1
  fi
}
for version in "$schemas"/kubernetes/*/; do
  version=$(basename "$version" | tr -d v)
  printf 'Kubernetes %s: ' "$version"
  valid_for "$version" $out/*.yaml
  refuses "$version" production s/minReadySeconds/minReadySecond/
done
# The custom kinds have the same schemas for every version.
refuses "$version" production s/backendRefs/backendReferences/
refuses "$version" argo-gateway s/workloadRef/workloadReference/
refuses "$version" argo-gateway s/inconclusiveLimit/inconclusivesLimit/
refuses "$version" argo-application s/targetRevision/targetRevisions/
refuses "$version" flux s/driftDetection/driftDetect/
refuses "$version" flux s/layerSelector/layerSelectors/
printf 'Plain files: '
valid_for "$version" $out/plain-image/*.yaml

# Ignored for every object:
# - CPU limit: at its limit, a pod stops for the rest of each 100 ms with all its requests in flight. CPU requests share
#   the CPU, and the autoscaler adds pods.
# - imagePullPolicy Always: image tags are immutable, and a node that has the image must be able to start a pod while
#   the registry is unreachable.
# - host podAntiAffinity: topologySpreadConstraints spread the pods evenly.
# The annotation kube-score/ignore of an object lists its own exceptions.
for built in "$out"/*.yaml; do
  $bin/kube-score score --kubernetes-version v1.30 --output-format ci --ignore-container-cpu-limit \
    --exit-one-on-warning --ignore-test container-image-pull-policy,deployment-has-host-podantiaffinity \
    "$built" > $out/score.txt || { grep -Ev '^\[(OK|SKIPPED)\]' $out/score.txt; exit 1; }
done
rm $out/score.txt
echo "kube-score: no findings"
