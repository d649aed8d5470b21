#!/bin/sh
# Lints the files that build and deploy: workflows (actionlint, zizmor), the Jenkinsfile (its grammar, CodeNarc), the
# Dockerfile (hadolint), and every YAML file (yamllint).
set -eu
cd "$(dirname "$0")/.."
tools/linters.sh
linters=.tools/linters
.tools/bin/actionlint -color
# Offline: checks that query GitHub (whether a pinned commit belongs to its tag) need a run with a token.
$linters/bin/zizmor --offline --persona=auditor --no-progress .github
$linters/bin/hadolint --config .hadolint.yaml Dockerfile
# Templates of Helm are no YAML before they are rendered.
git ls-files '*.yaml' '*.yml' ':!deploy/helm/*/templates/*' | PYTHONPATH=$linters xargs python3 -m yamllint --strict
tools/jenkinsfile.sh check
echo "Workflows, Dockerfile and YAML: nothing to say"
