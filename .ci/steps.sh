# How `.ci/run` runs its steps; sourced, from the root of the checkout. Each says how long it took.

step() { # COMMAND...: ends all if it fails
  local began=$SECONDS
  printf '\n=== %s\n' "$*"
  "$@" </dev/null || {
    local code=$?
    printf '=== FAILED (%s) after %d s: %s\n' "$code" "$((SECONDS - began))" "$*"
    exit "$code"
  }
  printf '=== passed in %d s: %s\n' "$((SECONDS - began))" "$*"
}

beside_each_other=

end_what_runs() { # and all that it started: each step is in a process group of its own
  local each
  for each in $(jobs -p); do kill -- "-$each" 2>/dev/null || true; done
  wait
  rm -rf "$beside_each_other"
}

fewer_than() { # NUMBER: waits until fewer steps run; one that failed ends all
  while (($(jobs -rp | wc -l) >= $1)) && [[ ! -s $beside_each_other/failed ]]; do sleep 0.5; done
  [[ ! -s $beside_each_other/failed ]] || exit "$(<"$beside_each_other/failed")"
}

two_at_a_time() { # STEP...: words of a command; what it prints is shown when it has ended
  beside_each_other=$(mktemp -d) # of this run alone: what is left of another one says nothing
  trap end_what_runs EXIT
  set -m # makes the process groups
  local each number=0
  for each; do
    fewer_than 2
    number=$((number + 1))
    {
      code=0
      (step $each) >"$beside_each_other/$number" 2>&1 || code=$?
      cat "$beside_each_other/$number"
      if ((code)); then echo "$code" >"$beside_each_other/failed"; else touch "$beside_each_other/$number.passed"; fi
    } &
  done
  fewer_than 1
  number=0
  for each; do
    number=$((number + 1))
    [[ -e $beside_each_other/$number.passed ]] || { # killed: it could say nothing, not even that it failed
      cat "$beside_each_other/$number"
      printf '=== FAILED: it was killed: %s\n' "$each"
      exit 1
    }
  done
}
