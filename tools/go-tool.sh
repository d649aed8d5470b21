#!/bin/sh
# Installs a pinned program at .tools/bin/NAME: links the one on the PATH if its version matches, else builds it with Go,
# once for all checkouts of this user: linking takes long even if everything is compiled.
# Usage: tools/go-tool.sh NAME PACKAGE VERSION HOMEPAGE [FOLDER]    FOLDER: another than .tools/bin
set -eu
cd "$(dirname "$0")/.."
name=$1 package=$2 version=$3 homepage=$4 folder=${5:-.tools/bin}
target=$folder/$name

# A release prints its version. A program from `go install` may not; its build record has it.
is_pinned() {
  "$1" version 2>/dev/null | grep -Eq "(^|[ v])${version#v}( |$)" ||
    go version -m "$1" 2>/dev/null | grep -q "^	mod	.*	$version	"
}

if [ -x "$target" ] && is_pinned "$target"; then exit; fi
mkdir -p "$folder"
if present=$(command -v "$name") && is_pinned "$present"; then
  ln -sf "$present" "$target"
elif command -v go >/dev/null 2>&1; then
  built=${XDG_CACHE_HOME:-$HOME/.cache}/tally/$name-$version
  if ! is_pinned "$built/$name"; then
    echo "Building $name $version ..." >&2
    GOBIN=$built go install "$package@$version"
  fi
  ln -sf "$built/$name" "$target"
else
  echo "This needs $name $version: $homepage" >&2
  echo "Put it on the PATH, or install Go (https://go.dev) and run this again." >&2
  exit 1
fi
