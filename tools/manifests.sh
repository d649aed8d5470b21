#!/bin/sh
# Builds every overlay of k8s/, and base with every component, into reports/manifests/, and checks what came out:
# against the schemas of each Kubernetes version that is supported, and by kube-score.
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
# Components that no overlay takes are built too, and all together, so that none is in another's way.
mkdir $out/everything
{
  printf 'namespace: tally\nresources: [../../../k8s/base]\ncomponents:\n'
  for component in k8s/components/*/; do echo "  - ../../../${component%/}"; done
} > $out/everything/kustomization.yaml
$bin/kustomize build $out/everything > $out/everything.yaml

valid_for() {
  version=$1
  shift
  $bin/kubeconform -strict -summary -kubernetes-version "$version" \
    -schema-location "$schemas/kubernetes/{{ .NormalizedKubernetesVersion }}/{{ .ResourceKind }}{{ .KindSuffix }}.json" \
    -schema-location "$schemas/crds/{{ .Group }}/{{ .ResourceKind }}-{{ .ResourceAPIVersion }}.json" "$@"
}
for version in "$schemas"/kubernetes/*/; do
  version=$(basename "$version" | tr -d v)
  printf 'Kubernetes %s: ' "$version"
  valid_for "$version" $out/*.yaml
  # A check that cannot fail says nothing: the same with a misspelled field, in a Deployment and in an HTTPRoute.
  for misspelled in s/minReadySeconds/minReadySecond/ s/backendRefs/backendReferences/; do
    if sed "$misspelled" $out/production.yaml | valid_for "$version" >/dev/null; then
      echo "kubeconform takes $misspelled for Kubernetes $version" >&2
      exit 1
    fi
  done
done

# Left out, for every object:
# - the CPU limit: at its limit a pod stands still for the rest of each 100 ms with every request it has in hand;
#   requests share the CPU out, and the autoscaler adds pods.
# - imagePullPolicy Always: an image is named by a version that does not move, and a node that has it must be able
#   to start a pod while the registry is away.
# - host podAntiAffinity: topologySpreadConstraints spread the pods, and evenly.
# Exceptions of one object stand in its annotation kube-score/ignore.
for built in "$out"/*.yaml; do
  $bin/kube-score score --kubernetes-version v1.30 --output-format ci --ignore-container-cpu-limit \
    --exit-one-on-warning --ignore-test container-image-pull-policy,deployment-has-host-podantiaffinity \
    "$built" > $out/score.txt || { grep -Ev '^\[(OK|SKIPPED)\]' $out/score.txt; exit 1; }
done
rm $out/score.txt
echo "kube-score: nothing to say"
