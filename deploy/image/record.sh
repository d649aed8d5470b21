#!/bin/sh
# record.sh NAME REFERENCE: keeps what was pushed, by digest, for reference.sh and for later steps of a workflow, and prints it.
set -eu
mkdir -p reports/supply-chain
echo "$2" > "reports/supply-chain/$1"
"$(dirname "$0")/output.sh" "$1" "$2"
echo "$2"
