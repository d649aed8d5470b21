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
java "$@"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$classpath" org.codenarc.CodeNarc -basedir="$(dirname "$file")" \
  -includes="$(basename "$file")" -rulesetfiles=file:tools/jenkinsfile/rules.groovy -report=console:stdout \
  -maxPriority1Violations=0 -maxPriority2Violations=0 -maxPriority3Violations=0 > "$out" 2>&1 || { cat "$out" >&2; exit 1; }
grep -q 'TotalFiles=1 FilesWithViolations=0' "$out" || { cat "$out" >&2; exit 1; }
echo "Jenkinsfile: nothing to say"
