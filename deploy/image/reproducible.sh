#!/bin/sh
# Builds the image twice, the second time in another folder, and compares the digests that a registry would assign. One
# commit has to give one digest; otherwise the source of an image cannot be verified. IMAGE: its name (tally:dev). BASE:
# another base.
set -eu
cd "$(dirname "$0")/../.."
deploy/image/registry-tool.sh
engine=$(deploy/docker/engine.sh)
image=${IMAGE:-tally:dev}
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
export VERSION
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

digest_of() {
  deploy/image/save.sh "$1" "$work/image.tar"
  .tools/bin/crane digest --tarball "$work/image.tar"
  rm "$work/image.tar"
}

IMAGE=$image deploy/docker/build.sh --no-cache
first=$(digest_of "$image")

# The same commit with the same uncommitted changes.
git clone --quiet --no-checkout . "$work/again"
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=- --ignore-failed-read |
  tar --extract --directory "$work/again"
ln -s "$PWD/.tools" "$work/again/.tools"
IMAGE=$image-again "$work/again/deploy/docker/build.sh" --no-cache
second=$(digest_of "$image-again")
# The engine's command may be several words.
# shellcheck disable=SC2086
$engine rmi --force "$image-again" >/dev/null

if [ "$first" != "$second" ]; then
  echo "The same commit produced different images: $first and $second" >&2
  exit 1
fi
echo "Two builds, one digest: $first"
