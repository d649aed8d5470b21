#!/bin/sh
# Prints the tags of this commit's image, the first of which never moves: TAGS if set; for a release (a tag v1.2.3 here
# or in GITHUB_REF_NAME) the version, the commit and `latest`; otherwise the commit and `main`.
set -eu
cd "$(dirname "$0")/../.."
if [ -n "${TAGS:-}" ]; then
  echo "$TAGS"
  exit
fi
commit=$(git rev-parse HEAD)
release=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || true)
if [ "${GITHUB_REF_TYPE:-}" = tag ]; then release=$GITHUB_REF_NAME; fi
if [ -n "$release" ]; then echo "${release#v} $commit latest"; else echo "$commit main"; fi
