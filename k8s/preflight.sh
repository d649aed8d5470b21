#!/bin/sh
# Checks whether a deployment can begin: prints `ready=true` or `ready=false` for a GitHub workflow, and a notice that
# names what is missing. KUBECONFIG_CONTENT, a secret, becomes a file that only this user can read, and KUBECONFIG for
# later steps. A missing setting is not a failure: a fork has no cluster, and its runs should not fail because of that.
set -eu
cd "$(dirname "$0")/.."
missing=
if [ -n "${KUBECONFIG_CONTENT:-}" ]; then
  KUBECONFIG=${RUNNER_TEMP:?}/kubeconfig
  (umask 077 && printf '%s\n' "$KUBECONFIG_CONTENT" > "$KUBECONFIG")
  if [ -n "${GITHUB_ENV:-}" ]; then echo "KUBECONFIG=$KUBECONFIG" >> "$GITHUB_ENV"; fi
elif [ -z "${KUBECONFIG:-}" ]; then
  missing="the secret KUBECONFIG_CONTENT"
fi
if [ -z "${SERVICE_URL:-}" ] && [ "${OVERLAY:-}" != loadtest ]; then missing="${missing:+$missing, }the variable SERVICE_URL"; fi
if [ -n "$missing" ]; then
  echo "::notice title=Not deployed::This environment lacks $missing: docs/ci-cd.md"
  ready=false
else
  ready=true
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then echo "ready=$ready" >> "$GITHUB_OUTPUT"; fi
echo "ready=$ready"
