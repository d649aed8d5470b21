#!/bin/sh
# Runs Compose with an available engine, with the version and revision that an image would get.
set -eu
cd "$(dirname "$0")/../.."
engine=$(deploy/docker/engine.sh)
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
VCS_REF=$(git rev-parse HEAD 2>/dev/null || echo unknown)
BUILD_DATE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
export VERSION VCS_REF BUILD_DATE

# Docker's Compose talks to Podman through its socket.
case $engine in
  *podman*)
    if [ -z "${DOCKER_HOST:-}" ]; then
      socket=$(podman info --format '{{.Host.RemoteSocket.Path}}')
      export DOCKER_HOST="unix://${socket#unix://}"
    fi
    # By its socket, Podman 4 takes 0.0.0.0 literally: then no address of this machine reaches the port.
    export PUBLISH="${PUBLISH:-127.0.0.1}"
    case " $* " in
      *" up "*)
        if ! [ -d /run/systemd/system ]; then
          echo "Podman runs health checks by systemd, which does not run here. Unless something else calls \`podman healthcheck run\`, no container becomes healthy, and this waits forever." >&2
        fi
        ;;
    esac
    ;;
esac

unfit=""
# Each may be several words.
for compose in "$engine compose" docker-compose podman-compose; do
  # shellcheck disable=SC2086
  version=$($compose version --short 2>/dev/null) || continue
  # What 1.x and podman-compose lack, together with what they do differently.
  # shellcheck disable=SC2086
  if $compose up --help 2>/dev/null | grep -q -e '--wait'; then exec $compose "$@"; fi
  unfit="$unfit
  $compose $(echo "$version" | head -n 1) is too old, or another program: it has no \`up --wait\`"
done
echo "Compose 2.1.1 or later is needed: https://docs.docker.com/compose/install/$unfit" >&2
exit 1
