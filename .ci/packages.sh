#!/usr/bin/env bash
# Installs the Debian packages that are missing here. Every package that the checks need stands in this
# one list. Does nothing, and says so, where there is no apt or no way to become root.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  git make curl ca-certificates procps iproute2
  # the stores and queues that the tests start themselves
  postgresql redis-server
  # the load balancers and the Prometheus of the rollout tests
  nginx-light haproxy prometheus
  # what checks the unit, and makes the certificate that the proxy is tried with
  systemd openssl
  # what fetches the schemas of Kubernetes
  python3-pip unzip
  # the browser that looks at the pages
  chromium
  # schemathesis
  python3-venv
  shellcheck
)
# For the image: an engine, its network, and a runtime that also works on cgroup v1. Only where no engine
# answers, for these would push out a Docker that is there.
if ! deploy/docker/engine.sh >/dev/null 2>&1; then packages+=(podman netavark aardvark-dns iptables runc); fi

if ! command -v apt-get >/dev/null; then
  echo "No apt-get here; the checks need: ${packages[*]}"
  exit
fi
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "All packages are there."
  exit
fi

as_root=()
if ((EUID != 0)); then as_root=(sudo --non-interactive); fi
echo "Installing: ${missing[*]}"
# RUNLEVEL=1 keeps the packages from starting their services: the tests start their own.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
  apt-get install --yes -qq --no-install-recommends "${missing[@]}" >/dev/null
