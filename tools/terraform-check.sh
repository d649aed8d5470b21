#!/bin/sh
# Checks deploy/terraform: format, schema, tables, tests, tflint, checkov. Minutes on a new machine, because tflint is
# built and checkov installed, so .ci/run has only the tests; see docs/testing.md.
# REGISTRY=1 also runs `terraform validate`, for a machine that reaches the registry of the providers.
set -eu
cd "$(dirname "$0")/.."
bun=$(tools/bun.sh)
terraform=$(command -v terraform || command -v tofu || tools/tofu.sh)
# The machine's own configuration has no say here.
export TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1

echo "== Format"
"$terraform" fmt -check -recursive -diff deploy/terraform

echo "== Schema of the provider, variables of the modules, tables"
"$bun" tools/terraform-check.ts
"$bun" tools/terraform-docs.ts --check
"$bun" tools/terraform-costs.ts --check

echo "== Schema: as the package has it"
tools/terraform-schema.sh | diff - tools/terraform/provider-schema.json

echo "== Tests"
TERRAFORM_REQUIRED=1 "$bun" test --timeout 60000 ./test/deploy/terraform ./test/k8s/aws.test.ts

echo "== tflint"
GOTOOLCHAIN=go1.27.3 tools/go-tool.sh tflint github.com/terraform-linters/tflint v0.64.0 https://github.com/terraform-linters/tflint
for folder in deploy/terraform deploy/terraform/bootstrap; do
  .tools/bin/tflint --chdir="$folder" --config="$PWD/deploy/terraform/.tflint.hcl"
done

echo "== checkov"
checkov=.tools/checkov
if ! cmp -s tools/terraform/checkov.txt $checkov/installed.txt; then
  rm -rf $checkov
  python3 -m venv $checkov
  $checkov/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement tools/terraform/checkov.txt
  cp tools/terraform/checkov.txt $checkov/installed.txt
fi
$checkov/bin/checkov --directory deploy/terraform --config-file deploy/terraform/.checkov.yaml

if [ "${REGISTRY:-}" = 1 ]; then
  echo "== terraform validate"
  for folder in deploy/terraform deploy/terraform/bootstrap; do
    "$terraform" -chdir="$folder" init -backend=false -input=false -no-color
    "$terraform" -chdir="$folder" validate -no-color
  done
fi
