#!/bin/sh
# overlay-of.sh DIRECTORY: writes a kustomization into DIRECTORY, two levels below the project, that is the overlay OVERLAY
# (dev) in the namespace NAMESPACE (the overlay's own) with the image IMAGE, if set. So no file of the project changes.
set -eu
cd "$(dirname "$0")/.."
overlay=${OVERLAY:-dev}
mkdir -p "$1"
{
  printf 'namespace: %s\nresources: [../../k8s/overlays/%s]\n' "$(k8s/namespace.sh)" "$overlay"
  if [ -n "${IMAGE:-}" ]; then
    case ${IMAGE##*/} in
      *@*) name=${IMAGE%%@*} version="digest: '${IMAGE#*@}'" ;;
      *:*) name=${IMAGE%:*} version="newTag: '${IMAGE##*:}'" ;;
      *) name=$IMAGE version='newTag: latest' ;;
    esac
    echo images:
    # The name in base, or the name that the overlay gives it.
    for known in tally $(sed -n 's/^ *newName: //p' "k8s/overlays/$overlay/kustomization.yaml"); do
      printf '  - name: %s\n    newName: %s\n    %s\n' "$known" "$name" "$version"
    done
  fi
} > "$1/kustomization.yaml"
