#!/bin/sh
# Puts the pinned k6 at .tools/bin/k6: the one on the PATH when it is that version, else built with Go.
set -eu
cd "$(dirname "$0")/.."
version=1.8.1
target=.tools/bin/k6

is_pinned() { "$1" version 2>/dev/null | grep -Eq " v$version( |$)"; }

if [ -x "$target" ] && is_pinned "$target"; then exit; fi
mkdir -p .tools/bin
if present=$(command -v k6) && is_pinned "$present"; then
  ln -sf "$present" "$target"
elif command -v go >/dev/null 2>&1; then
  echo "Building k6 $version into .tools/ (a few minutes) ..." >&2
  GOBIN="$PWD/.tools/bin" go install "go.k6.io/k6@v$version"
else
  echo "The load tests need k6 $version: https://grafana.com/docs/k6/latest/set-up/install-k6/" >&2
  echo "Put it on the PATH, or install Go (https://go.dev) and run this again." >&2
  exit 1
fi
