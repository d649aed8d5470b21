#!/bin/sh
# Unpacks a Go module, or some of its files, and prints where it is. From its archive, because Go unpacks a module only if
# it is as new as the module requires.
# Usage: tools/go-module.sh MODULE VERSION FOLDER [PATTERN...]    patterns: paths inside the module, as for unzip
set -eu
module=$1 version=$2 folder=$3
shift 3
# Outside of any module, whose own requirements would count.
archive=$(cd / && go mod download -json "$module@$version" | sed -n 's/.*"Zip": "\(.*\)".*/\1/p')
if [ -z "$archive" ]; then
  echo "The Go module $module@$version cannot be downloaded" >&2
  exit 1
fi
for pattern in "${@:-*}"; do unzip -q -o "$archive" "$module@$version/$pattern" -d "$folder"; done
echo "$folder/$module@$version"
