#!/bin/sh
# Renders every overlay of k8s/ into one file under dist/manifests (OUT), for `kubectl apply --filename` without kustomize.
# IMAGE: the image in them, by digest or tag. Default: the overlay's own.
set -eu
cd "$(dirname "$0")/.."
# That of an earlier deployment must not move every overlay into one namespace.
unset NAMESPACE
tools/manifest-tools.sh kustomize
out=${OUT:-dist/manifests}
work=dist/kustomization
mkdir -p "$out"
rm -rf "$out"/tally-*.yaml $work
for overlay in k8s/overlays/*; do
  OVERLAY=$(basename "$overlay")
  export OVERLAY
  k8s/overlay-of.sh $work
  {
    cat <<END
# Tally on Kubernetes, the overlay "$OVERLAY" of k8s/ as kustomize builds it: k8s/README.md explains what is in it.
#     kubectl apply --filename tally-$OVERLAY.yaml
END
    if grep -q components/migration "$overlay/kustomization.yaml"; then
      cat <<END
# Before an upgrade, because a Job cannot be changed:
#     kubectl --namespace $(k8s/namespace.sh) delete job migrate --ignore-not-found
END
    fi
    .tools/bin/kustomize build $work
  } > "$out/tally-$OVERLAY.yaml"
done
rm -rf $work
ls "$out"/tally-*.yaml
