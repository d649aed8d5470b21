# The steps of the pipelines (.github/workflows, Jenkinsfile). Each is a line of theirs, and runs at a desk as well:
# docs/ci-cd.md.

.PHONY: ci packages lint-pipelines browser-test bench-floor audit secrets coverage-cobertura notify
ci: ## The checks of .ci/run (PART="static image": those parts alone)
	@.ci/run $(PART)

packages: ## Install the Debian packages that the checks need
	@.ci/packages.sh

lint-pipelines: ## Lint workflows, Jenkinsfile, Dockerfile and YAML
	@tools/lint-pipelines.sh

browser-test: node_modules ## Look at the pages with a browser
	@$(BUN) run test test/e2e/browser

audit: node_modules ## Ask the registry for known vulnerabilities of the dependencies
	@$(BUN) tools/audit.ts

secrets: ## Look for secrets in every commit
	@tools/gitleaks.sh

coverage-cobertura: node_modules ## Write the coverage of the last tests in Cobertura's form, for Jenkins
	@$(BUN) tools/cobertura.ts

notify: ## Say at NOTIFY_URL, a webhook that takes {"text": ...}, that a build failed; nothing without one
	@tools/notify.sh

bench-floor: node_modules ## Fail when a request costs more CPU than at the commit that this one starts from (BASE_REF=main)
	@$(BUN) --no-orphans bench/floor.ts

.PHONY: image-test-stage image-reproducible registry registry-login image-push image-index
image-test-stage: ## Run the quick tests in the image's base
	@IMAGE=tally:test-stage deploy/docker/build.sh --target test

image-reproducible: ## Build the image twice and compare: one commit, one digest
	@deploy/image/reproducible.sh

registry: ## Run a registry in memory on 127.0.0.1:5000 (PORT=), for trying this out
	@deploy/image/registry.sh

registry-login: ## Log in to the registry of REPOSITORY (REGISTRY_USER=, REGISTRY_PASSWORD=)
	@deploy/image/login.sh

image-push: ## Push the image (REPOSITORY=registry.example.com/tally, IMAGE=tally:dev, TAGS=, ARCH=); prints it by digest
	@deploy/image/push.sh

image-index: ## Make one image of those for each architecture (IMAGES="name@sha256:... name@sha256:...", REPOSITORY=, TAGS=)
	@deploy/image/index.sh

.PHONY: sbom scan sign-key sign verify
sbom: node_modules ## Write what is in the image (CycloneDX) to reports/supply-chain: bun.lock, Bun, the base of IMAGE
	@$(BUN) tools/sbom.ts

scan: node_modules ## Look the SBOM up among known vulnerabilities; fails on a HIGH or CRITICAL that has a fix
	@$(BUN) tools/scan.ts

sign-key: ## Make a key pair for signing at a desk, in .tools/signing
	@deploy/image/sign-key.sh

sign: ## Sign the image of the last push, or IMAGE=name@sha256:..., and attach its SBOM (COSIGN_KEY=; without it: Sigstore)
	@deploy/image/sign.sh

verify: ## Check who signed it, and that it has an SBOM (COSIGN_PUBLIC_KEY=, or CERTIFICATE_IDENTITY= and CERTIFICATE_ISSUER=)
	@deploy/image/verify.sh

.PHONY: deploy-preflight deploy-request deploy-image undeploy-build deployed-conformance deployed-load deployed-roll rollback
deploy-preflight: ## Say whether everything that a deployment needs is here (KUBECONFIG or KUBECONFIG_CONTENT)
	@k8s/preflight.sh

deploy-request: ## Ask GitHub to deploy IMAGE to DEPLOY_ENVIRONMENT
	@gh workflow run deploy.yaml --field action=deploy --field environment="$$DEPLOY_ENVIRONMENT" --field image="$$IMAGE"

deploy-image: ## Deploy the image of the last push, or IMAGE=name@sha256:..., and wait until it serves (OVERLAY=, NAMESPACE=)
	@IMAGE=$$(deploy/image/reference.sh) && export IMAGE && OVERLAY=$(OVERLAY) k8s/deploy.sh

undeploy-build: ## Remove the namespace of a build, with everything in it (NAMESPACE=tally-build-...; KEEP=true leaves it)
	@k8s/undeploy-build.sh

deployed-conformance: node_modules ## Check the contract of what is deployed (OVERLAY=, NAMESPACE=, SERVICE_URL=)
	@BASE_URL=$$(k8s/url.sh api) && export BASE_URL && $(BUN) test/e2e/conformance/main.ts

deployed-load: node_modules .tools/bin/k6 ## Send load to what is deployed and account for each request, pod by pod
	@SERVICE_URL=$$(k8s/url.sh api) && PROMETHEUS_URL=$$(k8s/url.sh prometheus) && export SERVICE_URL PROMETHEUS_URL && \
	REPORT_DIR=$${REPORT_DIR:-reports/load/deployed} && export REPORT_DIR && $(BUN) load/run.ts

deployed-roll: node_modules .tools/bin/k6 ## Replace every pod of what is deployed under load (NEXT_IMAGE=: by another image); judged by the load's report
	@SERVICE_URL=$$(k8s/url.sh api) && PROMETHEUS_URL=$$(k8s/url.sh prometheus) && NAMESPACE=$$(k8s/namespace.sh) && \
	export SERVICE_URL PROMETHEUS_URL NAMESPACE && $(BUN) --no-orphans test/e2e/rollout/cluster/roll.ts

rollback: ## Go back to what was deployed before the last `make deploy` or `make deployed-roll` (OVERLAY=, NAMESPACE=)
	@k8s/rollback.sh

.PHONY: kind-cluster-test step-summary cluster-logs
kind-cluster-test: node_modules .tools/bin/k6 ## The cluster test on kind, which it makes when it is not there (QUICK=1)
	@k8s/kind-test.sh

cluster-logs: ## Save events, descriptions and logs of what is deployed to reports/cluster-logs (OVERLAY=, NAMESPACE=)
	@k8s/logs.sh

step-summary: ## Show SUMMARY=file.md on the page of the run, if it is there and GitHub asked for one
	@if [ -f "$(SUMMARY)" ] && [ -n "$$GITHUB_STEP_SUMMARY" ]; then cat "$(SUMMARY)" >> "$$GITHUB_STEP_SUMMARY"; fi

.PHONY: release-check release-notes release-publish
release-check: node_modules ## Refuse a release whose tag, package.json, OpenAPI document and CHANGELOG differ (TAG=v1.2.3)
	@$(BUN) tools/release.ts check

release-notes: node_modules ## Print what the CHANGELOG says of TAG
	@$(BUN) tools/release.ts notes

release-publish: node_modules ## Make the GitHub release of TAG, with its notes and the image by digest
	@$(BUN) tools/release.ts check
	@$(BUN) tools/release.ts notes > reports/release-notes.md
	@gh release create "$$TAG" --verify-tag --title "$$TAG" --notes-file reports/release-notes.md

.PHONY: workflows-rehearsal jenkins-rehearsal pipeline-rehearsal
workflows-rehearsal: node_modules ## Run the GitHub workflows here with act: conditions, needs, outputs, shell
	@$(BUN) test --timeout 300000 ./test/e2e/pipelines/workflows.test.ts

jenkins-rehearsal: node_modules ## Run the Jenkinsfile here with steps that are recorded: order, conditions, what follows a failure
	@$(BUN) test --timeout 300000 ./test/e2e/pipelines/jenkinsfile.test.ts

pipeline-rehearsal: node_modules .tools/bin/k6 ## From build to rollback, on the cluster of KUBECONFIG with a registry of its own: one report
	@$(BUN) --no-orphans test/e2e/pipelines/rehearsal.ts
