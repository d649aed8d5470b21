#!/bin/sh
# Checks the signatures of an image by digest (reference.sh) and of its SBOM, and those of NEXT_IMAGE, if set: an image
# that fails here is not deployed. COSIGN_PUBLIC_KEY: a public key; default: the key of make sign-key, if it exists.
# Without a key, CERTIFICATE_IDENTITY and CERTIFICATE_ISSUER name the required signer, by default image.yaml of
# GITHUB_REPOSITORY on main or a release's tag. ARTIFACT=chart: the Helm chart, which release.yaml signs, without SBOM.
set -eu
cd "$(dirname "$0")/../.."
image=$(deploy/image/reference.sh)
deploy/image/cosign.sh
key=${COSIGN_PUBLIC_KEY:-}
if [ -z "$key" ] && [ -z "${GITHUB_REPOSITORY:-}${CERTIFICATE_IDENTITY:-}" ] && [ -f .tools/signing/cosign.pub ]; then
  key=.tools/signing/cosign.pub
fi
if [ -n "$key" ]; then
  set -- --key "$key" --insecure-ignore-tlog=true
elif [ -n "${CERTIFICATE_IDENTITY:-}" ]; then
  set -- --certificate-identity "$CERTIFICATE_IDENTITY" --certificate-oidc-issuer "${CERTIFICATE_ISSUER:?}"
elif [ -n "${GITHUB_REPOSITORY:-}" ]; then
  workflow=image.yaml
  if [ "${ARTIFACT:-image}" = chart ]; then workflow=release.yaml; fi
  workflow="https://github.com/$GITHUB_REPOSITORY/.github/workflows/$workflow"
  set -- --certificate-identity-regexp "^$workflow@refs/(heads/main|tags/v[0-9]+\.[0-9]+\.[0-9]+)\$" \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com
else
  echo "COSIGN_PUBLIC_KEY, or CERTIFICATE_IDENTITY and CERTIFICATE_ISSUER, must name the required signer" >&2
  exit 1
fi
if [ "${ARTIFACT:-image}" = chart ]; then
  .tools/bin/cosign verify "$@" "$image" >/dev/null
  echo "Verified, signature: $image"
  exit
fi
for each in $image ${NEXT_IMAGE:+$(IMAGE=$NEXT_IMAGE deploy/image/reference.sh)}; do
  .tools/bin/cosign verify "$@" "$each" >/dev/null
  .tools/bin/cosign verify-attestation "$@" --type cyclonedx "$each" >/dev/null
  echo "Verified, signature and SBOM: $each"
done
