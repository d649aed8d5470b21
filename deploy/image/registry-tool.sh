#!/bin/sh
# Installs crane, which pushes, tags and reads images without an engine, at .tools/bin/crane.
set -eu
exec "$(dirname "$0")/../../tools/go-tool.sh" crane github.com/google/go-containerregistry/cmd/crane v0.22.1 \
  https://github.com/google/go-containerregistry/tree/main/cmd/crane
