#!/bin/sh
# Prints the command of a container engine that works on this machine: "docker" or "podman", with the
# flags it needs here. Says why and exits 1 when there is none. CONTAINER=... chooses by hand.
set -eu

if [ -n "${CONTAINER:-}" ]; then
  echo "$CONTAINER"
  exit
fi
# A client without an engine is common, so the engine is asked and not the PATH.
if docker info >/dev/null 2>&1; then
  echo docker
  exit
fi
if podman info >/dev/null 2>&1; then
  # On cgroup v1 (also the hybrid layout) crun may refuse to start; runc with plain cgroups works there.
  if [ "$(stat -fc %T /sys/fs/cgroup 2>/dev/null)" != cgroup2fs ] && command -v runc >/dev/null 2>&1; then
    echo "podman --runtime=$(command -v runc) --cgroup-manager=cgroupfs"
  else
    echo podman
  fi
  exit
fi
echo "No container engine answers here: neither 'docker info' nor 'podman info' succeeds." >&2
exit 1
