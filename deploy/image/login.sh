#!/bin/sh
# Logs in to the registry of REPOSITORY as REGISTRY_USER with REGISTRY_PASSWORD, for both crane and cosign.
set -eu
cd "$(dirname "$0")/../.."
deploy/image/registry-tool.sh
: "${REPOSITORY:?names where images are pushed: registry.example.com/tally}"
: "${REGISTRY_USER:?}" "${REGISTRY_PASSWORD:?}"
printf %s "$REGISTRY_PASSWORD" | .tools/bin/crane auth login "${REPOSITORY%%/*}" --username "$REGISTRY_USER" --password-stdin
