#!/bin/sh
# Combines IMAGES, one per architecture, each by digest, into one image: REPOSITORY with TAGS (tags.sh). Prints it by
# digest.
set -eu
cd "$(dirname "$0")/../.."
: "${REPOSITORY:?names where to push: registry.example.com/tally}" "${IMAGES:?names the images, by digest}"
deploy/image/registry-tool.sh
tags=$(deploy/image/tags.sh)
set --
for image in $IMAGES; do
  case $image in *@sha256:*) ;; *) echo "not by digest: $image" >&2; exit 1 ;; esac
  set -- "$@" --manifest "$image"
done
index=$(.tools/bin/crane index append "$@" --tag "$REPOSITORY:${tags%% *}" | tail -1)
for tag in ${tags#* }; do
  if [ "$tag" != "${tags%% *}" ]; then .tools/bin/crane tag "$index" "$tag"; fi
done
deploy/image/output.sh digest "${index#*@}"
deploy/image/record.sh image "$index"
