#!/bin/sh
# Pushes the engine's image IMAGE (tally:dev) to REPOSITORY with TAGS (tags.sh), and prints it by digest. The digest is
# also in reports/supply-chain/image, for make sign, verify and deploy. ARCH: one of several architectures, which
# index.sh combines: its tag ends with ARCH, and no other tag moves yet.
set -eu
cd "$(dirname "$0")/../.."
: "${REPOSITORY:?names where to push: registry.example.com/tally}"
deploy/image/registry-tool.sh
tags=$(deploy/image/tags.sh)
if [ -n "${ARCH:-}" ]; then tags=${tags%% *}-$ARCH; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
deploy/image/save.sh "${IMAGE:-tally:dev}" "$work/image.tar"
pushed=$(.tools/bin/crane push "$work/image.tar" "$REPOSITORY:${tags%% *}" | tail -1)
for tag in ${tags#* }; do
  if [ "$tag" != "${tags%% *}" ]; then .tools/bin/crane tag "$pushed" "$tag"; fi
done
deploy/image/record.sh image "$pushed"
