#!/bin/sh
# Looks for secrets in every commit, with the pinned gitleaks. What looks like one and is none stands in .gitleaks.toml.
set -eu
cd "$(dirname "$0")/.."
tools/go-tool.sh gitleaks github.com/zricethezav/gitleaks/v8 v8.30.1 https://github.com/gitleaks/gitleaks
exec .tools/bin/gitleaks git --no-banner --redact --verbose .
