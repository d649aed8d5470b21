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
  module=$(go mod download -json "github.com/opentofu/opentofu@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  folder=$(mktemp -d)
  trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
  cp -R "$module/." "$folder"
  chmod -R u+w "$folder"
  mkdir -p .tools/bin
  echo "Building OpenTofu $version into .tools/ ..." >&2
  (cd "$folder" && GOTOOLCHAIN=$toolchain go build -o "$target" -ldflags "-X github.com/opentofu/opentofu/version.dev=no" ./cmd/tofu)
  echo "$version" > "$target.version"
fi
echo "$target"
