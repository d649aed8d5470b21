#!/bin/sh
# Makes the images that `make cluster-test PARTS=argo` needs, from source, for a cluster that can pull nothing: the controller
# of Argo Rollouts, a Prometheus that discovers pods (Debian's cannot), and k6. Needs Go and a container engine; the first
# run takes some 15 minutes. The other images are those of deploy/docker/stand-ins.sh.
# Usage: deploy/argo/stand-ins.sh [rollouts|prometheus|k6|traefik]; prints the name of each image. BASE names the base of k6.
# For `PARTS=gateway`, static programs that you built from their repositories: GATEWAY_PLUGIN_FILE goes into the controller's
# image (then install with GATEWAY_PLUGIN=file:///plugins/gatewayapi-plugin), TRAEFIK_FILE becomes the image of `traefik`.
set -eu
cd "$(dirname "$0")/../.."
engine=$(deploy/docker/engine.sh)
bin=$PWD/.tools/bin
mkdir -p "$bin"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# build NAME MODULE VERSION PACKAGE [FLAG...]: builds a program inside a copy of its module, where its `replace` lines hold,
# which `go install` refuses. Kept by version.
build() {
  name=$1 module=$2 version=$3 package=$4
  shift 4
  target=$bin/$name-$version
  if [ -x "$target" ]; then return; fi
  source=$(tools/go-module.sh "$module" "$version" "$context/modules")
  # The newest patch release of Go is not needed to compile it.
  sed -i 's/^go 1\.26\..*/go 1.26.0/' "$source/go.mod"
  # The dashboard is a directory that Go embeds, and not in the module.
  mkdir -p "$source/ui/dist/app"
  touch "$source/ui/dist/app/index.html"
  echo "Building $name $version ..." >&2
  (cd "$source" && GOWORK=off CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$target" "$@" "$package")
  rm -rf "$source"
}

# pack IMAGE BASE PROGRAM PATH < the other instructions
pack() {
  cp -L "$3" "$context/program"
  chmod 755 "$context/program"
  { echo "FROM $2"; echo "COPY program $4"; cat; } > "$context/Dockerfile"
  # shellcheck disable=SC2086
  $engine build --tag "$1" --file "$context/Dockerfile" "$context" >&2
  echo "$1"
}

for each in ${1:-rollouts prometheus k6}; do
  case $each in
    rollouts)
      build rollouts-controller github.com/argoproj/argo-rollouts v1.10.2 ./cmd/rollouts-controller
      mkdir -p "$context/plugins"
      if [ -n "${GATEWAY_PLUGIN_FILE:-}" ]; then install "$GATEWAY_PLUGIN_FILE" "$context/plugins/gatewayapi-plugin"; fi
      pack quay.io/argoproj/argo-rollouts:v1.10.2 scratch "$bin/rollouts-controller-v1.10.2" /bin/rollouts-controller <<'END'
COPY plugins/ /plugins/
USER 999
WORKDIR /home/argo-rollouts
ENTRYPOINT ["/bin/rollouts-controller"]
END
      ;;
    prometheus)
      # Prometheus 3.13, with the name in k8s/components/monitoring.
      build prometheus github.com/prometheus/prometheus v0.313.0 ./cmd/prometheus -tags remove_all_sd,enable_kubernetes_sd
      pack docker.io/prom/prometheus:v3.5.0 scratch "$bin/prometheus-v0.313.0" /bin/prometheus <<'END'
USER 65534
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
END
      ;;
    k6)
      tools/k6.sh >&2
      pack docker.io/grafana/k6:1.8.1 "$(deploy/docker/base.sh "${BASE:-tally-base:local}")" "$bin/k6" /usr/bin/k6 <<'END'
ENV PATH=/usr/bin
ENTRYPOINT ["k6"]
END
      ;;
    traefik)
      pack docker.io/library/traefik:v3.7.13 scratch "${TRAEFIK_FILE:?must name the program}" /traefik <<'END'
USER 65532
ENTRYPOINT ["/traefik"]
END
      ;;
    *)
      echo "usage: deploy/argo/stand-ins.sh [rollouts|prometheus|k6|traefik]" >&2
      exit 1
      ;;
  esac
done
