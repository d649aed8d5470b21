#!/bin/sh
# Scans every commit for secrets with the pinned gitleaks. .gitleaks.toml lists the false positives.
set -eu
cd "$(dirname "$0")/.."
tools/go-tool.sh gitleaks github.com/zricethezav/gitleaks/v8 v8.30.1 https://github.com/gitleaks/gitleaks
exec .tools/bin/gitleaks git --no-banner --redact --verbose .
