#!/bin/sh
# Makes a stand-in for each missing image of compose.yaml's platform from this machine's programs, under the name in the
# file: for tests, and for machines that cannot pull images. Also makes the base of our own image.
# Needs Debian's haproxy, postgresql, redis-server, prometheus. Grafana's stand-in only answers its health check.
# Usage: deploy/docker/stand-ins.sh; prints the name of each image that it made. BASE names the base.
set -eu
cd "$(dirname "$0")/../.."
engine=$(deploy/docker/engine.sh)
base=$(deploy/docker/base.sh "${BASE:-tally-base:local}")
echo "$base"

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# The full name of a service's image.
image_of() { sed -n "s/^    image: \(docker\.io\/.*\/$1:.*\)/\1/p" compose.yaml; }

# shellcheck disable=SC2086
is_here() { $engine image inspect "$1" >/dev/null 2>&1; }

# Copies programs, with the libraries that they are linked with, into the root of an image.
add() {
  for program; do
    mkdir -p "$root$(dirname "$program")"
    cp -L "$program" "$root$program"
    { ldd "$program" 2>/dev/null || true; } | grep -o '/[^ ]*' | while read -r library; do
      mkdir -p "$root$(dirname "$library")"
      cp -Ln "$library" "$root$library"
    done
  done
}

# The path of a program of Debian's package.
find_program() {
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" || {
    echo "The stand-in for $name needs $1, of Debian's package $2." >&2
    exit 1
  }
}

begin() {
  name=$1
  root=$context/$(basename "${name%%:*}")
  mkdir -p "$root/etc" "$root/tmp"
  chmod 1777 "$root/tmp"
  # The users of the official images, and the one that the Kubernetes manifests name.
  printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\npostgres:x:70:70::/:/bin/sh\nredis:x:999:999::/:/bin/sh\nnonroot:x:65532:65532::/:/bin/sh\n' \
    >"$root/etc/passwd"
  add "$(readlink -f "$(find_program dash dash)")"
  mkdir -p "$root/bin"
  cp -L "$(find_program dash dash)" "$root/bin/sh"
}

# Builds from the root and the instructions on standard input.
finish() {
  { echo "FROM $from"; echo "COPY $(basename "$root")/ /"; cat; } >"$root.Dockerfile"
  # shellcheck disable=SC2086
  $engine build --tag "$name" --file "$root.Dockerfile" "$context" >&2
  rm -rf "$root"
  echo "$name"
}

from=scratch
name=$(image_of haproxy)
if ! is_here "$name"; then
  begin "$name"
  haproxy=$(find_program haproxy haproxy)
  add "$haproxy"
  finish <<END
STOPSIGNAL SIGUSR1
CMD ["$haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
END
fi

name=$(image_of redis)
if ! is_here "$name"; then
  begin "$name"
  server=$(find_program redis-server redis-server)
  client=$(find_program redis-cli redis-tools)
  add "$server" "$client"
  # As the official image: it is protected by its network.
  cat >"$root/entrypoint" <<'END'
#!/bin/sh
exec "$@" --protected-mode no
END
  chmod +x "$root/entrypoint"
  mkdir -p "$root/data"
  finish <<END
ENV PATH=$(dirname "$server"):/bin
VOLUME /data
WORKDIR /data
ENTRYPOINT ["/entrypoint"]
CMD ["redis-server"]
END
fi

name=$(image_of prometheus)
# The one of deploy/argo/stand-ins.sh, under the same name, has no command and cannot read the targets of Compose.
# shellcheck disable=SC2086
if ! is_here "$name" || [ "$($engine image inspect --format '{{len .Config.Cmd}}' "$name")" = 0 ]; then
  begin "$name"
  prometheus=$(find_program prometheus prometheus)
  add "$prometheus"
  mkdir -p "$root/prometheus"
  if [ -d /usr/share/prometheus/web ]; then
    mkdir -p "$root/usr/share/prometheus"
    cp -RL /usr/share/prometheus/web "$root/usr/share/prometheus/"
  fi
  finish <<END
VOLUME /prometheus
WORKDIR /prometheus
ENTRYPOINT ["$prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
END
fi

name=$(image_of postgres)
if ! is_here "$name"; then
  begin "$name"
  # Debian keeps the programs of each version in a separate folder, off the PATH.
  programs=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  if [ -z "$programs" ]; then
    echo "The stand-in for $name needs Debian's package postgresql." >&2
    exit 1
  fi
  version=$(basename "$(dirname "$programs")")
  add "$programs/postgres" "$programs/initdb" "$programs/pg_isready"
  mkdir -p "$root/usr/lib/postgresql/$version" "$root/usr/share/postgresql" "$root/var/run/postgresql" \
    "$root/var/lib/postgresql/data" "$root/usr/share"
  cp -RL "$(dirname "$programs")/lib" "$root/usr/lib/postgresql/$version/"
  cp -RL "/usr/share/postgresql/$version" "$root/usr/share/postgresql/"
  cp -RL /usr/share/zoneinfo "$root/usr/share/"
  # What the official image does at its first start.
  cat >"$root/entrypoint" <<'END'
#!/bin/sh
set -eu
if ! [ -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --encoding=UTF8 --locale=C
  echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$PGDATA" postgres
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec postgres -c listen_addresses='*'
END
  chmod +x "$root/entrypoint"
  finish <<END
COPY --chown=70:70 postgres/var/ /var/
ENV PATH=$programs:/bin PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
USER 70:70
STOPSIGNAL SIGINT
ENTRYPOINT ["/entrypoint"]
END
fi

name=$(image_of grafana)
if ! is_here "$name"; then
  from=$base
  begin "$name"
  finish <<'END'
ENTRYPOINT ["bun", "-e", "Bun.serve({ port: 3000, fetch: () => Response.json({ database: 'ok' }) }); process.on('SIGTERM', () => process.exit(0))"]
END
fi
