# The steps of the pipelines (.github/workflows, Jenkinsfile). Each is one line there, and also runs locally:
# docs/ci-cd.md.

.PHONY: ci packages lint-pipelines browser-test bench-floor audit secrets coverage-cobertura notify
ci: ## Run the checks of .ci/run (PART="static image": only those parts)
	@.ci/run $(PART)

packages: ## Install the Debian packages that the checks need
	@.ci/packages.sh

lint-pipelines: ## Lint workflows, Jenkinsfile, Dockerfile and YAML
	@tools/lint-pipelines.sh

browser-test: node_modules ## Test the pages in a browser
	@$(BUN) run test test/e2e/browser

audit: node_modules ## Ask the registry for known vulnerabilities of the dependencies
	@$(BUN) tools/audit.ts

secrets: ## Search every commit for secrets
	@tools/gitleaks.sh

coverage-cobertura: node_modules ## Write the coverage of the last tests in Cobertura's format, for Jenkins
	@$(BUN) tools/cobertura.ts

notify: ## Report a failed build to NOTIFY_URL, a webhook that accepts {"text": ...}; without it, do nothing
	@tools/notify.sh

bench-floor: node_modules ## Fail if a request costs more CPU than at the merge base (BASE_REF=main)
	@$(BUN) --no-orphans bench/floor.ts

.PHONY: image-test-stage image-reproducible registry registry-login image-push image-index
image-test-stage: ## Run the quick tests in the image's base
	@IMAGE=tally:test-stage deploy/docker/build.sh --target test

image-reproducible: ## Build the image twice and compare: one commit, one digest
	@deploy/image/reproducible.sh

registry: ## Run a registry in memory on 127.0.0.1:5000 (PORT=), for local trials
	@deploy/image/registry.sh

registry-login: ## Log in to the registry of REPOSITORY (REGISTRY_USER=, REGISTRY_PASSWORD=)
	@deploy/image/login.sh

image-push: ## Push the image (REPOSITORY=registry.example.com/tally, IMAGE=tally:dev, TAGS=, ARCH=); prints it by digest
	@deploy/image/push.sh

image-index: ## Combine the images of all architectures into one (IMAGES="name@sha256:... name@sha256:...", REPOSITORY=, TAGS=)
	@deploy/image/index.sh

.PHONY: sbom scan sign-key sign verify
sbom: node_modules ## Write the contents of the image (CycloneDX) to reports/supply-chain: bun.lock, Bun, the base of IMAGE
	@$(BUN) tools/sbom.ts

scan: node_modules ## Check the SBOM for known vulnerabilities; fails on a HIGH or CRITICAL that has a fix
	@$(BUN) tools/scan.ts

sign-key: ## Create a key pair for local signing, in .tools/signing
	@deploy/image/sign-key.sh

sign: ## Sign the image of the last push, or IMAGE=name@sha256:..., and attach its SBOM (COSIGN_KEY=; without it: Sigstore)
	@deploy/image/sign.sh

verify: ## Check the signer of an image, and its SBOM (COSIGN_PUBLIC_KEY=, or CERTIFICATE_IDENTITY= and CERTIFICATE_ISSUER=)
	@deploy/image/verify.sh

.PHONY: chart-push chart-sign chart-verify
chart-push: ## Push the Helm chart, with the image by digest as its default (REPOSITORY= or CHARTS=, IMAGE=); prints it by digest
	@deploy/helm/push.sh

chart-sign: ## Sign the chart of the last push, or CHART=name@sha256:... (COSIGN_KEY=; without it: Sigstore)
	@ARTIFACT=chart deploy/image/sign.sh

chart-verify: ## Check the signer of a chart, as make verify does for an image (CHART=)
	@ARTIFACT=chart deploy/image/verify.sh

.PHONY: deploy-preflight deploy-request deploy-image undeploy-build test-deployment deployed-conformance deployed-load deployed-roll rollback
deploy-preflight: ## Check that the settings of a deployment are present (KUBECONFIG or KUBECONFIG_CONTENT)
	@k8s/preflight.sh

deploy-request: ## Ask GitHub to deploy IMAGE to DEPLOY_ENVIRONMENT
	@gh workflow run deploy.yaml --field action=deploy --field environment="$$DEPLOY_ENVIRONMENT" --field image="$$IMAGE"

deploy-image: ## Deploy the image of the last push, or IMAGE=name@sha256:..., and wait until it serves (OVERLAY=, NAMESPACE=)
	@IMAGE=$$(deploy/image/reference.sh) && export IMAGE && OVERLAY=$(OVERLAY) k8s/deploy.sh

undeploy-build: ## Remove the namespace of a build, with everything in it (NAMESPACE=tally-build-...; KEEP=true leaves it)
	@k8s/undeploy-build.sh

test-deployment: node_modules .tools/bin/k6 ## Wait for the rollout, check the contract, send a small load through the Service: one verdict (OVERLAY=, NAMESPACE=)
	@OVERLAY=$(OVERLAY) k8s/test-deployment.sh

deployed-conformance: node_modules ## Check the deployment against the contract (OVERLAY=, NAMESPACE=, SERVICE_URL=)
	@BASE_URL=$$(k8s/url.sh api) && export BASE_URL && $(BUN) test/e2e/conformance/main.ts

deployed-load: node_modules .tools/bin/k6 ## Send load to the deployment and account for each request, pod by pod
	@SERVICE_URL=$$(k8s/url.sh api) && PROMETHEUS_URL=$$(k8s/url.sh prometheus) && export SERVICE_URL PROMETHEUS_URL && \
	REPORT_DIR=$${REPORT_DIR:-reports/load/deployed} && export REPORT_DIR && $(BUN) load/run.ts

deployed-roll: node_modules .tools/bin/k6 ## Replace every pod of the deployment under load (NEXT_IMAGE=: by another image); the load's report decides
	@SERVICE_URL=$$(k8s/url.sh api) && PROMETHEUS_URL=$$(k8s/url.sh prometheus) && NAMESPACE=$$(k8s/namespace.sh) && \
	export SERVICE_URL PROMETHEUS_URL NAMESPACE && $(BUN) --no-orphans test/e2e/rollout/cluster/roll.ts

rollback: ## Return to the state before the last `make deploy` or `make deployed-roll` (OVERLAY=, NAMESPACE=)
	@k8s/rollback.sh

.PHONY: kind-cluster-test step-summary cluster-logs
kind-cluster-test: node_modules .tools/bin/k6 ## Run the cluster test on kind, creating the cluster if needed (QUICK=1)
	@k8s/kind-test.sh

cluster-logs: ## Save events, descriptions and logs of the deployment to reports/cluster-logs (OVERLAY=, NAMESPACE=)
	@k8s/logs.sh

step-summary: ## Show SUMMARY=file.md on the page of a GitHub run, if it exists
	@if [ -f "$(SUMMARY)" ] && [ -n "$$GITHUB_STEP_SUMMARY" ]; then cat "$(SUMMARY)" >> "$$GITHUB_STEP_SUMMARY"; fi

.PHONY: release-check release-notes release-publish
release-check: node_modules ## Fail if a release's tag, package.json, OpenAPI document and CHANGELOG differ (TAG=v1.2.3)
	@$(BUN) tools/release.ts check

release-notes: node_modules ## Print the CHANGELOG section of TAG
	@$(BUN) tools/release.ts notes

release-publish: node_modules ## Create the GitHub release of TAG, with its notes, the image by digest and dist/manifests
	@$(BUN) tools/release.ts check
	@$(BUN) tools/release.ts notes > reports/release-notes.md
	@gh release create "$$TAG" --verify-tag --title "$$TAG" --notes-file reports/release-notes.md dist/manifests/*.yaml

.PHONY: workflows-rehearsal jenkins-rehearsal pipeline-rehearsal
workflows-rehearsal: node_modules ## Run the GitHub workflows here with act: conditions, needs, outputs, shell
	@$(BUN) test --timeout 300000 ./test/e2e/pipelines/workflows.test.ts

jenkins-rehearsal: node_modules ## Run the Jenkinsfile here with recorded steps: order, conditions, behavior after a failure
	@$(BUN) test --timeout 300000 ./test/e2e/pipelines/jenkinsfile.test.ts

pipeline-rehearsal: node_modules .tools/bin/k6 ## Run everything from build to rollback, on the cluster of KUBECONFIG with a local registry: one report
	@$(BUN) --no-orphans test/e2e/pipelines/rehearsal.ts

.PHONY: terraform-check terraform-schema terraform-modules
terraform-check: node_modules ## Check deploy/terraform: format, schema, tables, tests, tflint, checkov (REGISTRY=1: terraform validate too)
	@tools/terraform-check.sh

terraform-schema: node_modules ## Write the provider's schema for the types that deploy/terraform uses
	@tools/terraform-schema.sh > tools/terraform/provider-schema.json

terraform-modules: node_modules ## Write the variables of the modules of deploy/terraform (needs the registry)
	@tools/terraform-modules.sh
