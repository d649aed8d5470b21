# shellcheck shell=bash
# Steps of a run. Each step is timed and counts as one check; a failure does not stop the following steps.

steps_passed=0
steps_failed=0
steps_table=()
junit_files=()

# choose_parts [NAME...]: the parts that are run. Default: all.
chosen_parts=()
choose_parts() { chosen_parts=("$@"); }

# part NAME...: the steps below belong to these parts, and are skipped unless one of the parts is chosen.
left_out=
parts_seen=" "
part() {
  local name chosen
  parts_seen+="$* "
  left_out=
  ((${#chosen_parts[@]} > 0)) || return 0
  for name in "$@"; do
    for chosen in "${chosen_parts[@]}"; do [[ $name != "$chosen" ]] || return 0; done
  done
  left_out=1
}

# step NAME COMMAND [ARGUMENT...]
step() {
  local name=$1 started=$SECONDS code=0
  [[ -z $left_out ]] || return 0
  shift
  printf '\n===== %s\n' "$name"
  # Run in the background, where `set -e` works inside a function; directly after `if` it would not.
  "$@" </dev/null &
  wait $! || code=$?
  record_step "$name" $code $((SECONDS - started))
}

# record_step NAME EXIT_CODE SECONDS
record_step() {
  local verdict
  if (($2 == 0)); then
    verdict=ok
    steps_passed=$((steps_passed + 1))
  else
    verdict=FAILED
    steps_failed=$((steps_failed + 1))
  fi
  steps_table+=("$(printf '%-7s %4d s  %s' "$verdict" "$3" "$1")")
  printf '===== %s: %s after %d s\n' "$1" "$verdict" "$3"
}

# parallel_step NAME COMMAND [ARGUMENT...]: a step that runs beside other parallel steps, as many at a time as there are
# processors. Its output is printed when it ends. `join_steps` waits for all of them.
parallel_max=$(getconf _NPROCESSORS_ONLN)
parallel_outputs=
parallel_names=()
parallel_running=()
parallel_step() {
  local number=${#parallel_names[@]}
  [[ -z $left_out ]] || return 0
  parallel_outputs=${parallel_outputs:-$(mktemp -d)}
  while ((${#parallel_running[@]} >= parallel_max)); do end_a_step; done
  parallel_names+=("$1")
  shift
  parallel_running+=("$number")
  {
    started=$SECONDS code=0
    "$@" </dev/null >"$parallel_outputs/$number.log" 2>&1 &
    wait $! || code=$?
    echo "$code $((SECONDS - started))" >"$parallel_outputs/$number.ended"
  } &
}

# Waits until at least one parallel step has ended, and records those that have.
end_a_step() {
  local number code seconds still=()
  # Bash before 4.3 has no `wait -n`.
  wait -n 2>/dev/null || sleep 1
  for number in "${parallel_running[@]}"; do
    if [[ ! -f $parallel_outputs/$number.ended ]]; then
      still+=("$number")
      continue
    fi
    read -r code seconds <"$parallel_outputs/$number.ended"
    printf '\n===== %s\n' "${parallel_names[$number]}"
    cat "$parallel_outputs/$number.log"
    record_step "${parallel_names[$number]}" "$code" "$seconds"
  done
  parallel_running=("${still[@]}")
}

join_steps() {
  while ((${#parallel_running[@]} > 0)); do end_a_step; done
  [[ -z $parallel_outputs ]] || rm -rf "$parallel_outputs"
  parallel_outputs=
}

# A step that all following steps require: a failure ends the run.
required_step() {
  local failed_before=$steps_failed
  step "$@"
  if ((steps_failed > failed_before)); then finish; fi
}

# tests_in JUNIT_FILE: the next step writes this file, and its tests count too.
tests_in() { junit_files+=("$1"); }

# junit_sum ATTRIBUTE: its sum over the existing JUnit files, from the outermost element.
junit_sum() {
  local file value sum=0
  for file in "${junit_files[@]}"; do
    [[ -f $file ]] || continue
    value=$(grep -m1 '<testsuites ' "$file" | sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p")
    sum=$((sum + ${value:-0}))
  done
  echo "$sum"
}

# list TITLE FILE: prints the title and the file unless the file is empty.
list() {
  [[ ! -s $2 ]] || printf '%s\n%s\n' "$1" "$(cat "$2")"
}

# A part with a name that no step has would pass by doing nothing.
unknown_parts() {
  local chosen
  # After a required step that failed, the parts below it were not reached.
  ((steps_failed == 0)) || return 0
  for chosen in "${chosen_parts[@]}"; do
    [[ $parts_seen == *" $chosen "* ]] || step "No part is named $chosen:$parts_seen" false
  done
}

# Prints the table and the totals, then exits.
finish() {
  join_steps
  left_out=
  unknown_parts
  local tests failures errors skipped unstable passed failed
  tests=$(junit_sum tests)
  failures=$(junit_sum failures)
  errors=$(junit_sum errors)
  skipped=$(junit_sum skipped)
  unstable=$([[ ! -f reports/unstable.txt ]] || wc -l <reports/unstable.txt)
  unstable=${unstable:-0}
  failures=$((failures - unstable))
  passed=$((tests - failures - errors - skipped + steps_passed))
  failed=$((failures + errors + steps_failed))
  printf '\n===== Summary after %d s\n' "$SECONDS"
  printf '%s\n' "${steps_table[@]}"
  printf 'Tests: %d run, %d failed, %d skipped; steps: %d ok, %d failed\n' \
    $((tests - skipped)) $((failures + errors)) "$skipped" "$steps_passed" "$steps_failed"
  list "Failed beside other tests, passed three times alone (fix these too):" reports/unstable.txt
  list "Failed:" reports/broken.txt
  echo "$passed passed, $failed failed"
  exit $((failed > 0))
}

# descendants PID: all processes below it.
descendants() {
  local child
  for child in $(pgrep -P "$1"); do
    echo "$child"
    descendants "$child"
  done
}

# any_alive PID...: whether one of the processes has not ended. In a container, those whose parent is gone may stay as
# zombies.
any_alive() {
  local IFS=,
  ps -o stat= -p "$*" | grep -qv '^Z'
}

# interrupt EXIT_CODE: ends the running steps with all their processes, and exits. Commands in the background of a script
# ignore Ctrl-C. What has not ended after 10 s, or at the next signal, is killed.
interrupt() {
  local tree=() child deadline=$((SECONDS + 10))
  trap 'deadline=0' INT TERM HUP
  for child in $(descendants $$); do tree+=("$child"); done
  kill -TERM "${tree[@]}" 2>/dev/null || true
  until ((SECONDS >= deadline)) || ! any_alive "${tree[@]}"; do sleep 0.1; done
  kill -KILL "${tree[@]}" 2>/dev/null || true
  [[ -z $parallel_outputs ]] || rm -rf "$parallel_outputs"
  printf '\n===== Interrupted after %d s\n' "$SECONDS" || true
  exit "$1"
}
trap 'interrupt 130' INT
trap 'interrupt 143' TERM
trap 'interrupt 129' HUP
