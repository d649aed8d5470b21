#!/bin/sh
# Installs the pinned act, which runs GitHub workflows locally, at .tools/bin/act.
set -eu
exec "$(dirname "$0")/go-tool.sh" act github.com/nektos/act v0.2.89 https://nektosact.com
