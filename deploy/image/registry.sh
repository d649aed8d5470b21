#!/bin/sh
# Runs a registry in memory on 127.0.0.1:PORT (5000) until it is stopped.
set -eu
cd "$(dirname "$0")/../.."
deploy/image/registry-tool.sh
exec .tools/bin/crane registry serve --address "127.0.0.1:${PORT:-5000}"
