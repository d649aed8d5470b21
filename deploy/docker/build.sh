#!/bin/sh
# Builds the image. IMAGE names it, BASE gives another base, VERSION another version; arguments go to the
# engine's build command (for instance --target test).
set -eu
cd "$(dirname "$0")/../.."
engine=$(deploy/docker/engine.sh)

version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
set -- --target production "$@" --build-arg "VERSION=$version" --build-arg "VCS_REF=$revision" \
  --build-arg "BUILD_DATE=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
if [ -n "${BASE:-}" ]; then set -- "$@" --build-arg "BASE=$BASE"; fi
# The OCI format, Podman's default, has no place for a health check.
case $engine in *podman*) set -- "$@" --format docker ;; esac

# The engine's command may be several words.
# shellcheck disable=SC2086
exec $engine build "$@" --tag "${IMAGE:-tally:dev}" .
