#!/bin/sh
# Signs an image by digest (reference.sh) and attaches the SBOM of make sbom, signed as well. COSIGN_KEY: a private key,
# or its address at a KMS; default: the key of make sign-key, if it exists. Without a key the identity of the workflow
# signs, through Sigstore, and the signature is in the public log. ARTIFACT=chart: the Helm chart, which has no SBOM.
set -eu
cd "$(dirname "$0")/../.."
image=$(deploy/image/reference.sh)
sbom=reports/supply-chain/sbom.cdx.json
if [ "${ARTIFACT:-image}" = image ] && [ ! -f $sbom ]; then echo "$sbom does not exist: run make sbom" >&2; exit 1; fi
deploy/image/cosign.sh
key=${COSIGN_KEY:-}
if [ -z "$key" ] && [ -z "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ] && [ -f .tools/signing/cosign.key ]; then
  key=.tools/signing/cosign.key
fi
set -- --yes
if [ -n "$key" ]; then
  export COSIGN_PASSWORD="${COSIGN_PASSWORD:-}"
  # With a key no outside service is needed: no timestamp, no public log.
  set -- "$@" --key "$key" --use-signing-config=false --tlog-upload=false
fi
.tools/bin/cosign sign "$@" "$image"
if [ "${ARTIFACT:-image}" = image ]; then
  .tools/bin/cosign attest "$@" --type cyclonedx --predicate $sbom "$image"
fi
echo "Signed: $image"
