#!/bin/sh
# Builds the image. IMAGE: its name. BASE: another base. VERSION: another version. Arguments go to the engine's build
# command (for example --target test).
set -eu
cd "$(dirname "$0")/../.."
engine=$(deploy/docker/engine.sh)

version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# The time of the commit, not of the build, so that a commit gives the same image on every machine.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
set -- --target production "$@" --build-arg "VERSION=$version" --build-arg "VCS_REF=$revision" \
  --build-arg "BUILD_DATE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)"
if [ -n "${BASE:-}" ]; then set -- "$@" --build-arg "BASE=$BASE"; fi
# The OCI format, Podman's default, does not support a health check.
case $engine in
  *podman*) set -- "$@" --format docker --timestamp "$SOURCE_DATE_EPOCH" ;;
  *) set -- "$@" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" ;;
esac

# With a registry, compose.yaml never means an image of a public one; the short name is for people.
if [ -n "${IMAGE:-}" ]; then set -- "$@" --tag "$IMAGE"; else set -- "$@" --tag localhost/tally:dev --tag tally:dev; fi

# On a terminal, with the elapsed time and an estimate, where Bun is installed.
progress=
bun=.tools/bun/node_modules/.bin/bun
if [ ! -x $bun ]; then bun=$(command -v bun || true); fi
if [ -t 2 ] && [ -n "$bun" ]; then progress="$bun tools/progress.ts image"; fi

# The commands may be several words.
# shellcheck disable=SC2086
exec $progress $engine build "$@" .
