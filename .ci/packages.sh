#!/usr/bin/env bash
# Installs missing Debian packages. This is the only list of the packages that the checks need. Without apt it only
# prints the list.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  git make curl ca-certificates procps iproute2
  # databases, queues and the pooler that the tests start
  postgresql redis-server pgbouncer
  # load balancers and Prometheus for the rollout tests; Alertmanager checks its example
  nginx-light haproxy prometheus prometheus-alertmanager
  # checks the systemd unit; creates the certificate for the proxy tests
  systemd openssl
  # schemathesis, linters, the Kubernetes schemas
  python3-pip unzip
  # browser for the page tests
  chromium
  # checkov
  python3-venv
  shellcheck
  # compiles the shifted clock of the Redis tests
  gcc libc6-dev
)
# For the image: an engine, its network, and a runtime that also works on cgroup v1. Only if no engine responds, because
# these packages would replace an installed Docker.
if ! deploy/docker/engine.sh >/dev/null 2>&1; then packages+=(podman netavark aardvark-dns iptables runc); fi

# Any Java runs the checks of the Jenkinsfile.
if ! command -v java >/dev/null; then packages+=(default-jre-headless); fi

if ! command -v apt-get >/dev/null; then
  echo "apt-get not found; the checks need: ${packages[*]}"
  exit
fi
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "All packages are installed."
  exit
fi

as_root=()
if ((EUID != 0)); then as_root=(sudo --non-interactive); fi
echo "Installing: ${missing[*]}"
# RUNLEVEL=1 prevents the packages from starting services: the tests start their own.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
  apt-get install --yes -qq --no-install-recommends "${missing[@]}" >/dev/null
