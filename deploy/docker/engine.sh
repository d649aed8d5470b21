#!/bin/sh
# Prints the command of a container engine that works on this machine, "docker" or "podman", with the flags it needs
# here. Reports why and exits with 1 if there is no such engine. CONTAINER=... overrides the choice.
set -eu

if [ -n "${CONTAINER:-}" ]; then
  echo "$CONTAINER"
  exit
fi
# A client without a running engine is common, so run the engine instead of checking the PATH.
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
echo "No container engine is available: neither 'docker info' nor 'podman info' succeeds." >&2
exit 1
