#!/bin/sh
# Writes tools/terraform/modules.json from the modules that `terraform init` fetches. Needs the registry.
set -eu
cd "$(dirname "$0")/.."
terraform=$(command -v terraform || command -v tofu || tools/tofu.sh)
TF_CLI_CONFIG_FILE=/dev/null "$terraform" -chdir=deploy/terraform init -backend=false -input=false -upgrade >&2
exec "$(tools/bun.sh)" tools/terraform-modules.ts
