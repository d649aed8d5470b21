#!/bin/sh
# Backs up Tally's database into BACKUP_DIR, checks the backup, and keeps the newest KEEP (14). For a scheduler:
# deploy/systemd/tally-backup.timer, k8s/components/backup. Exits with an error if any step fails, and leaves no
# incomplete file under the name of a backup.
#   PGDATABASE (with PGHOST, PGUSER, PGPASSWORD or PGPASSFILE): PostgreSQL, by pg_dump
#   DATA_DIR: SQLite, the file tally.db in it, by Bun
set -eu
umask 077
: "${BACKUP_DIR:?must name a directory}"
keep=${KEEP:-14}
name=tally-$(date -u +%Y%m%dT%H%M%SZ)
unfinished=$BACKUP_DIR/.$name.unfinished
trap 'rm -f "$unfinished"' EXIT

if [ -n "${PGDATABASE:-}" ]; then
  backup=$BACKUP_DIR/$name.dump
  pg_dump --format=custom --file="$unfinished"
  pg_restore --list "$unfinished" | grep -q 'TABLE DATA .* tasks'
elif [ -n "${DATA_DIR:-}" ]; then
  backup=$BACKUP_DIR/$name.db
  BACKUP=$unfinished bun -e '
    const { Database } = require("bun:sqlite")
    const { BACKUP, DATA_DIR } = process.env
    new Database(DATA_DIR + "/tally.db", { readwrite: true }).run("vacuum into ?", [BACKUP])
    const { integrity_check } = new Database(BACKUP, { readonly: true }).query("pragma integrity_check").get()
    if (integrity_check !== "ok") throw new Error(integrity_check)'
else
  echo 'backup.sh: PGDATABASE or DATA_DIR must be set' >&2
  exit 78
fi
sync "$unfinished"
mv "$unfinished" "$backup"
sync "$BACKUP_DIR"
# The names sort by time.
find "$BACKUP_DIR" -maxdepth 1 -name 'tally-*Z.*' | sort -r | tail -n "+$((keep + 1))" | while read -r old; do rm -f "$old"; done
echo "$backup"
