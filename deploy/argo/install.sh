#!/bin/sh
# Installs Argo CD, Argo Rollouts or a Gateway into the cluster of KUBECONFIG, from the manifest of a pinned release with a
# pinned checksum. Where the release cannot be downloaded, takes the same files from its Go module, with the same checksum.
# Usage: deploy/argo/install.sh argocd|rollouts|gateway    gateway: the definitions of the Gateway API, and deploy/argo/traefik
# IMAGE: another image of the controller (rollouts), for a cluster that cannot pull. GATEWAY_PLUGIN: also the plugin for the
# Gateway API (rollouts), by its version, or where the controller finds it: https://..., or file:///... in its image.
# GATEWAY_PLUGIN_SHA256: its checksum. DRY_RUN=1: prints the manifest instead.
set -eu
cd "$(dirname "$0")/../.."

files=manifests/install.yaml
case ${1:-} in
  argocd)
    namespace=argocd module=github.com/argoproj/argo-cd/v3 repository=argoproj/argo-cd version=v3.6.1
    sha256=7be23ca7d9ca3d3074dee8332f1ca92a933b990cee7c9cf22cf3843ee8c2913e
    ;;
  rollouts)
    namespace=argo-rollouts module=github.com/argoproj/argo-rollouts repository=argoproj/argo-rollouts version=v1.10.2
    sha256=be25242c55bab7650e0b845da11dbce811f7427deae367e224435e0d766ebe5a
    ;;
  gateway)
    # The release that this Traefik supports, and the kinds that it watches. The checksum is of the files in this order.
    namespace=traefik module=sigs.k8s.io/gateway-api repository=kubernetes-sigs/gateway-api version=v1.6.1
    sha256=2a15b4cc4b3a4e73ae0b3632bfc09a1f4709f59851f6f9810a2f25f70cbfeaad
    files=$(for kind in gatewayclasses gateways httproutes grpcroutes tlsroutes referencegrants backendtlspolicies; do
      echo "config/crd/standard/gateway.networking.k8s.io_$kind.yaml"
    done)
    ;;
  *)
    echo "usage: deploy/argo/install.sh argocd|rollouts|gateway" >&2
    exit 1
    ;;
esac

unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
manifest=$unpacked/install.yaml
url=https://raw.githubusercontent.com/$repository/$version
: > "$manifest"
append() {
  if [ -s "$manifest" ]; then echo --- >> "$manifest"; fi
  cat "$1" >> "$manifest"
}
download() {
  for file in $files; do
    curl --fail --silent --location --max-time 60 --output "$unpacked/file" "$url/$file" || return
    append "$unpacked/file"
  done
}
if ! download; then
  echo "Cannot download from $url; trying the Go module of the release" >&2
  # shellcheck disable=SC2086
  if ! source=$(tools/go-module.sh "$module" "$version" "$unpacked" $files 2>/dev/null); then
    echo "Neither $url nor the Go module $module@$version can be downloaded. With a network, run this again; or download" >&2
    echo "the files elsewhere and run: kubectl apply --server-side --namespace $namespace --filename FILE" >&2
    echo "$files" >&2
    exit 1
  fi
  : > "$manifest"
  for file in $files; do append "$source/$file"; done
fi
if ! echo "$sha256  $manifest" | sha256sum --check --status; then
  echo "$url has another checksum than $sha256: nothing was installed" >&2
  exit 1
fi
if [ "$1" = rollouts ]; then
  # The manifest of the tag names no version of the image.
  image=${IMAGE:-quay.io/argoproj/argo-rollouts:$version}
  sed -i -e "s#image: quay.io/argoproj/argo-rollouts:.*#image: $image#" \
    -e 's/imagePullPolicy: Always/imagePullPolicy: IfNotPresent/' "$manifest"
fi
if [ -n "${DRY_RUN:-}" ]; then
  cat "$manifest"
  exit
fi

kubectl create namespace $namespace --dry-run=client --output yaml | kubectl apply --filename -
# Server-side: the definitions are too long for the annotation of a client-side apply.
kubectl apply --server-side --force-conflicts --namespace $namespace --filename "$manifest"
if [ "$1" = gateway ]; then
  kubectl wait --for=condition=Established --timeout=60s --filename "$manifest"
  kubectl apply --kustomize deploy/argo/traefik
fi
if [ "$1" = rollouts ] && [ -n "${GATEWAY_PLUGIN:-}" ]; then
  case $GATEWAY_PLUGIN in
    *://*) plugin=$GATEWAY_PLUGIN ;;
    *) plugin="https://github.com/argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi/releases/download/$GATEWAY_PLUGIN/gatewayapi-plugin-linux-amd64" ;;
  esac
  {
    printf 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argo-rollouts-config\n  namespace: %s\ndata:\n' $namespace
    printf '  trafficRouterPlugins: |\n    - name: argoproj-labs/gatewayAPI\n      location: %s\n' "$plugin"
    if [ -n "${GATEWAY_PLUGIN_SHA256:-}" ]; then printf '      sha256: %s\n' "$GATEWAY_PLUGIN_SHA256"; fi
  } | kubectl apply --server-side --force-conflicts --filename -
  # The controller downloads plugins when it starts.
  kubectl --namespace $namespace rollout restart deployment/argo-rollouts
fi
kubectl --namespace $namespace get deployment --output name | while read -r deployment; do
  kubectl --namespace $namespace rollout status "$deployment" --timeout="${TIMEOUT:-300s}"
done
