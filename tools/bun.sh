#!/bin/sh
# Prints the path of the pinned Bun. Downloads it into .tools/ unless it is on the PATH, which requires npm or any Bun.
# Later calls need no network.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/.*"packageManager": "bun@\([^"]*\)".*/\1/p' package.json)
local=.tools/bun/node_modules/.bin/bun

if command -v bun >/dev/null 2>&1 && [ "$(bun --version)" = "$version" ]; then
  command -v bun
  exit
fi
if [ ! -x "$local" ] || [ "$("$local" --version)" != "$version" ]; then
  echo "Downloading Bun $version into .tools/ ..." >&2
  mkdir -p .tools/bun
  printf '{"private":true}\n' > .tools/bun/package.json
  if command -v npm >/dev/null 2>&1; then
    # npm may be configured to skip install scripts, so run the required one directly.
    npm install --prefix .tools/bun --ignore-scripts --no-save --no-audit --no-fund --loglevel=error "bun@$version" >&2
    (cd .tools/bun && node node_modules/bun/install.js >&2)
  elif command -v bun >/dev/null 2>&1; then
    (cd .tools/bun && bun add --exact --trust "bun@$version" >&2)
  else
    echo "Tally needs Bun (https://bun.sh) or Node.js with npm." >&2
    exit 1
  fi
fi
echo "$PWD/$local"
