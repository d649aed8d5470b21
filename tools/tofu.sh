#!/bin/sh
# Builds the pinned OpenTofu at .tools/bin/tofu, which takes minutes, and prints its path. `go install` refuses modules that
# replace others, so it is built inside a copy of its module, where its own replacements hold.
set -eu
cd "$(dirname "$0")/.."
version=v1.12.6
# Its release of grpc does not build with later versions.
toolchain=go1.26.8
target=$PWD/.tools/bin/tofu
if [ "$(cat "$target.version" 2>/dev/null)" != "$version" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  module=$(tools/go-module.sh github.com/opentofu/opentofu "$version" "$folder")
  mkdir -p .tools/bin
  echo "Building OpenTofu $version into .tools/ ..." >&2
  (cd "$module" && GOTOOLCHAIN=$toolchain go build -o "$target" -ldflags "-X github.com/opentofu/opentofu/version.dev=no" ./cmd/tofu)
  echo "$version" > "$target.version"
fi
echo "$target"
