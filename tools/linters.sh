#!/bin/sh
# Installs the linters of tools/linters.txt, pinned by hash, in .tools/linters, and actionlint in .tools/bin.
set -eu
cd "$(dirname "$0")/.."
tools/go-tool.sh actionlint github.com/rhysd/actionlint/cmd/actionlint v1.7.12 https://github.com/rhysd/actionlint
target=.tools/linters
if cmp -s tools/linters.txt $target/installed.txt; then exit; fi
rm -rf $target
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --no-compile --only-binary=:all: \
  --require-hashes --target $target --requirement tools/linters.txt
cp tools/linters.txt $target/installed.txt
