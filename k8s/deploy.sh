#!/bin/sh
# Deploys an overlay to the cluster of KUBECONFIG and waits until everything in it is ready. OVERLAY: the overlay (dev).
# NAMESPACE: a namespace other than the overlay's. IMAGE: another image (registry.example.com/tally:1.2.3). TIMEOUT: how
# long to wait (180s). `rollback.sh` returns to the previous state.
set -eu
cd "$(dirname "$0")/.."
overlay=${OVERLAY:-dev}
namespace=$(k8s/namespace.sh)

# A temporary overlay, so that setting an image changes no file of the project.
work=reports/deploy
mkdir -p $work
printf 'namespace: %s\nresources: [../../k8s/overlays/%s]\n' "$namespace" "$overlay" > $work/kustomization.yaml
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
fi >> $work/kustomization.yaml
# A Job cannot be changed, so delete the one of the previous deployment.
kubectl --namespace "$namespace" delete job migrate --ignore-not-found
k8s/note-revisions.sh
kubectl apply --kustomize $work
if kubectl --namespace "$namespace" get job migrate --output name >/dev/null 2>&1; then
  kubectl --namespace "$namespace" wait --for=condition=complete job/migrate --timeout="${TIMEOUT:-180s}"
fi
for kind in statefulset deployment; do
  kubectl --namespace "$namespace" get $kind --output name | while read -r one; do
    kubectl --namespace "$namespace" rollout status "$one" --timeout="${TIMEOUT:-180s}"
  done
done
kubectl --namespace "$namespace" get pods,services
