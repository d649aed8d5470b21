#!/bin/sh
# output.sh NAME VALUE: passes a value to later steps of a GitHub workflow, if there is one.
set -eu
if [ -n "${GITHUB_OUTPUT:-}" ]; then echo "$1=$2" >> "$GITHUB_OUTPUT"; fi
