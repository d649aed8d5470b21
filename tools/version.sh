#!/bin/sh
# Prints SERVICE_VERSION=... and SERVICE_REVISION=... of this checkout from git; prints nothing without git.
# The version is the output of `git describe`, or the version in package.json with the commit if there is no tag.
# Uncommitted changes add -dirty. Used by make start, make dev, make worker and tools/bundle.ts.
set -eu
cd "$(dirname "$0")/.."

revision=$(git rev-parse HEAD 2>/dev/null) || exit 0
dirty=$(git diff --quiet HEAD 2>/dev/null || echo -dirty)
declared=$(sed -n 's/^ *"version": "\([^"]*\)".*/\1/p' package.json)
version=$(git describe --tags --match 'v[0-9]*' 2>/dev/null) || version=$declared-$(git rev-parse --short=8 HEAD)
echo "SERVICE_VERSION=${SERVICE_VERSION:-${version#v}$dirty}"
echo "SERVICE_REVISION=${SERVICE_REVISION:-$revision$dirty}"
