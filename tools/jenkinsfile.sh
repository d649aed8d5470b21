#!/bin/sh
# jenkinsfile.sh check: checks the grammar of the Jenkinsfile, and CodeNarc's rules for Jenkins.
# jenkinsfile.sh run RUNS.json: runs it here; see jenkinsfile/run.groovy.
set -eu
cd "$(dirname "$0")/.."
classpath=$(tools/groovy.sh)
file=${JENKINSFILE:-Jenkinsfile}
command=$1
shift
# The programs run for a second, so optimizing compilers would only delay them.
set -- -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$classpath" groovy.ui.GroovyMain "tools/jenkinsfile/$command.groovy" "$file" "$@"
if [ "$command" = run ]; then exec java "$@"; fi
report=$(mktemp)
trap 'rm -f "$report"' EXIT
java "$@" > "$report" 2>&1 || { cat "$report" >&2; exit 1; }
grep -q 'TotalFiles=1 FilesWithViolations=0' "$report" || { cat "$report" >&2; exit 1; }
echo "Jenkinsfile: nothing to say"
