#!/bin/sh
# Installs the pinned k6 at .tools/bin/k6; building it takes a few minutes.
set -eu
exec "$(dirname "$0")/go-tool.sh" k6 go.k6.io/k6 v1.8.1 https://grafana.com/docs/k6/latest/set-up/install-k6/
