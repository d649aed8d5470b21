#!/bin/sh
# Runs Compose with the engine that works here, with the version and revision that an image would be given.
set -eu
cd "$(dirname "$0")/../.."
engine=$(deploy/docker/engine.sh)
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
VCS_REF=$(git rev-parse HEAD 2>/dev/null || echo unknown)
BUILD_DATE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
export VERSION VCS_REF BUILD_DATE

# The engine's command may be several words.
# shellcheck disable=SC2086
if $engine compose version >/dev/null 2>&1; then exec $engine compose "$@"; fi
if command -v docker-compose >/dev/null 2>&1; then exec docker-compose "$@"; fi
if command -v podman-compose >/dev/null 2>&1; then exec podman-compose "$@"; fi
echo "Compose is not installed: https://docs.docker.com/compose/install/" >&2
exit 1
