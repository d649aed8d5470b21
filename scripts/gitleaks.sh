#!/bin/sh
# Looks for secrets in every commit, with the pinned gitleaks: the one on the PATH when it is that version, else
# built with Go into .tools/. What looks like one and is none stands in .gitleaks.toml.
set -eu
cd "$(dirname "$0")/.."
version=v8.30.1
target=.tools/bin/gitleaks

# One that was built with `go install` does not know its own version; Go does.
is_pinned() {
  [ "$("$1" version 2>/dev/null)" = "${version#v}" ] ||
    go version -m "$1" 2>/dev/null | grep -q "gitleaks/v8[[:space:]]*$version"
}

if ! { [ -x "$target" ] && is_pinned "$target"; }; then
  mkdir -p .tools/bin
  if present=$(command -v gitleaks) && is_pinned "$present"; then
    ln -sf "$present" "$target"
  elif command -v go >/dev/null 2>&1; then
    echo "Building gitleaks $version into .tools/ ..." >&2
    GOBIN="$PWD/.tools/bin" go install "github.com/zricethezav/gitleaks/v8@$version"
  else
    echo "This needs gitleaks $version (https://github.com/gitleaks/gitleaks) or Go to build it." >&2
    exit 1
  fi
fi
exec "$target" git --no-banner --redact --verbose .
