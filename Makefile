# Every target works on a fresh clone: missing tools are fetched first (see tools/bun.sh).
.DEFAULT_GOAL := help
SHELL := /bin/sh
# The pinned Bun, first on the path, because scripts call it by name.
BUN = PATH="$$(dirname "$$(tools/bun.sh)"):$$PATH" exec bun
# Settings such as make dev PORT=9000 reach the program: make exports them.

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z%-]+:.*## / {printf "  \033[36m%-22s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

node_modules: package.json bun.lock
	@tools/bun.sh > /dev/null
	@$(BUN) install --frozen-lockfile
	@touch node_modules

.PHONY: dev
dev: node_modules ## Serve on :8000 and restart after each change
	@$(BUN) run dev

.PHONY: start
start: node_modules ## Serve without reload
	@export $$(tools/version.sh) && $(BUN) src/main.ts

.PHONY: tls
tls: ## Create a certificate for localhost, and an authority that signs it, in dist/tls (OUT=)
	@tools/local-tls.sh

.PHONY: worker
worker: node_modules ## Run a task worker on :8081 (with WORKER=off for the server, REDIS_URL= for a queue on Redis)
	@export $$(tools/version.sh) && $(BUN) src/worker.ts

.PHONY: migrate
migrate: node_modules ## Migrate the database to the schema of this version (DATABASE_URL=)
	@export $$(tools/version.sh) && $(BUN) src/migrate.ts

.PHONY: test
test: node_modules ## Run the quick tests: unit, HTTP, contracts on the embedded engines, one real process
	@$(BUN) run test

.PHONY: test-all
test-all: node_modules .tools/bin/k6 ## Run every test, including PostgreSQL, Redis, kill -9, browser, image, fuzz, rollout (ROUNDS=20: more kills)
	@$(BUN) run test:all
	@$(BUN) test --timeout 600000 ./test/e2e/image/image.test.ts
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=$${FUZZ_SECONDS:-30}
	@$(MAKE) --no-print-directory rollout-test QUICK=1

.PHONY: check
check: node_modules ## Check format, lint, types, documents and tests: required for every change
	@$(BUN) run check

.PHONY: format
format: node_modules ## Format and apply safe fixes
	@$(BUN) run format

.PHONY: bench
bench: node_modules ## Benchmark against bare Bun, Hono, Fastify, Go, axum and FastAPI (QUICK=1: a minute; GUARDED=1: with keys, a rate limit and TLS)
	@$(BUN) run bench

.PHONY: load
load: node_modules .tools/bin/k6 ## Send 5,000 requests and account for each (SERVICE_URL, N_REQUESTS, CONCURRENCY)
	@$(BUN) load/run.ts load

load-%: node_modules .tools/bin/k6 ## Run another load profile: load-smoke, -stress, -spike, -soak, -large
	@$(BUN) load/run.ts $*

.tools/bin/k6:
	@sh tools/k6.sh

.PHONY: rollout-test
rollout-test: node_modules .tools/bin/k6 ## Roll, scale and kill instances under load; every request is accounted for (QUICK=1: a minute)
	@$(BUN) --no-orphans test/e2e/rollout/main.ts

.PHONY: awkward-test
awkward-test: node_modules .tools/bin/k6 ## Send rare and broken requests beside ordinary ones, through HAProxy and nginx (N_REQUESTS, PROXIES)
	@$(BUN) --no-orphans test/e2e/rollout/awkward/main.ts

.PHONY: fuzz
fuzz: node_modules ## Send invalid requests: by the OpenAPI document, as random bytes, and slowly (FUZZ_SECONDS, SEED)
	@$(BUN) --no-orphans test/e2e/fuzz/openapi.ts
	@$(BUN) --no-orphans test/e2e/fuzz/bytes.ts
	@$(BUN) --no-orphans test/e2e/fuzz/slow-clients.ts

.PHONY: conformance
conformance: node_modules ## Check a running service against its contract (BASE_URL=http://127.0.0.1:8000, API_KEY, INSECURE=1, WORKER=off)
	@$(BUN) test/e2e/conformance/main.ts

.PHONY: cluster-test
cluster-test: node_modules .tools/bin/k6 ## Run the rollout test and more on the cluster of KUBECONFIG (IMAGE=, NEXT_IMAGE=, IMAGE_LOAD=; QUICK=1: 7 minutes)
	@$(BUN) --no-orphans test/e2e/rollout/cluster/main.ts

.PHONY: image
image: ## Build the container image (BASE=... for another base, IMAGE=... for another name)
	@deploy/docker/build.sh

.PHONY: image-test
image-test: node_modules ## Build the image and check that it stops without losing a request
	@$(BUN) test --timeout 600000 ./test/e2e/image/image.test.ts

.PHONY: compose-test
compose-test: node_modules .tools/bin/k6 ## Start, load, roll and stop the platform (make up, load, roll, down); 3 minutes
	@$(BUN) test --timeout 900000 ./test/e2e/image/compose.test.ts

PLATFORM = deploy/docker/compose.sh --profile platform

.PHONY: up
up: ## Build and start the platform: three instances behind a balancer on :8000, Prometheus :9090, Grafana :3000
	@$(PLATFORM) version > /dev/null
	@deploy/docker/build.sh
	@$(PLATFORM) up --no-build --detach --wait balancer grafana

.PHONY: roll
roll: node_modules ## Replace the platform's worker, then its instances one after another (IMAGE=, VERSION=)
	@COMPOSE=deploy/docker/compose.sh $(BUN) test/e2e/rollout/compose.ts

.PHONY: down
down: ## Stop the platform; its data stays in named volumes
	@$(PLATFORM) down

.PHONY: logs
logs: ## Follow the platform's logs
	@$(PLATFORM) logs --follow

.PHONY: api-logs worker-logs
api-logs: ## Follow the logs of the platform's API instances
	@$(PLATFORM) logs --follow api-1 api-2 api-3

worker-logs: ## Follow the logs of the platform's worker
	@$(PLATFORM) logs --follow worker

.PHONY: ps
ps: ## Show the running containers
	@$(PLATFORM) ps

.PHONY: manifests
manifests: node_modules ## Build and check the Kubernetes manifests
	@tools/manifests.sh

.PHONY: chart
chart: node_modules ## Lint the Helm chart and render it with every file of its ci/ into reports/chart
	@$(BUN) tools/helm-values.ts --check
	@tools/chart.sh

.PHONY: manifests-plain
manifests-plain: ## Render each overlay into one file for kubectl apply, in dist/manifests (IMAGE=)
	@tools/manifests-plain.sh

OVERLAY ?= dev

.PHONY: deploy
deploy: ## Deploy to the cluster of KUBECONFIG and wait until it serves (OVERLAY=dev, NAMESPACE=, IMAGE=...)
	@OVERLAY=$(OVERLAY) k8s/deploy.sh

.PHONY: undeploy
undeploy: ## Remove the namespace of the deployment, with its data and Secrets (OVERLAY=dev, NAMESPACE=)
	@OVERLAY=$(OVERLAY) k8s/overlay-of.sh reports/undeploy
	@kubectl delete --ignore-not-found --kustomize reports/undeploy

.PHONY: kind
kind: ## Create a cluster in Docker by kind, load the image, and deploy (OVERLAY=dev)
	@OVERLAY=$(OVERLAY) k8s/kind.sh

.PHONY: argocd-install argo-rollouts-install gateway-install
argocd-install: ## Install a pinned Argo CD into the cluster of KUBECONFIG
	@deploy/argo/install.sh argocd

argo-rollouts-install: ## Install a pinned Argo Rollouts (GATEWAY_PLUGIN=version: with its plugin for the Gateway API)
	@deploy/argo/install.sh rollouts

gateway-install: ## Install the Gateway API and Traefik, for a cluster without a Gateway
	@deploy/argo/install.sh gateway

include .ci/pipelines.mk

.PHONY: clean
clean: ## Remove fetched, built and generated files
	rm -rf node_modules .tools dist reports data openapi.json
