#!/bin/sh
# Creates a key pair for signing locally: .tools/signing/cosign.key, protected by COSIGN_PASSWORD (empty), and
# cosign.pub.
set -eu
cd "$(dirname "$0")/../.."
deploy/image/cosign.sh
mkdir -p .tools/signing
if [ -f .tools/signing/cosign.key ]; then
  echo "It is there: .tools/signing/cosign.key"
  exit
fi
export COSIGN_PASSWORD="${COSIGN_PASSWORD:-}"
(umask 077 && .tools/bin/cosign generate-key-pair --output-key-prefix .tools/signing/cosign)
