#!/bin/sh
# Builds a base image from this machine: Bun, the glibc files it is linked with, and the certificates. For tests, and
# for machines that cannot pull images: BASE=tally-base:local make image
# Usage: deploy/docker/base.sh [name]; prints the name.
set -eu
cd "$(dirname "$0")/../.."
name=${1:-tally-base:local}
engine=$(deploy/docker/engine.sh)
bun=$(readlink -f "$(tools/bun.sh)")

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
root=$context/root
mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/tmp" "$root/root"
chmod 1777 "$root/tmp"
cp "$bun" "$root/usr/local/bin/bun"
ldd "$bun" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
# Behind a proxy that inspects TLS, the machine trusts more certificates than Bun does by default.
certificates=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
if [ -f "$certificates" ]; then cp -L "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"; fi
cat > "$context/Dockerfile" <<END
FROM scratch
COPY root/ /
ENV PATH=/usr/local/bin HOME=/root NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
END

# The engine's command may be several words.
# shellcheck disable=SC2086
$engine build --tag "$name" "$context" >&2
echo "$name"
