#!/bin/sh
# output.sh NAME VALUE: hands a value on to the later steps of a GitHub workflow, where there is one.
set -eu
if [ -n "${GITHUB_OUTPUT:-}" ]; then echo "$1=$2" >> "$GITHUB_OUTPUT"; fi
