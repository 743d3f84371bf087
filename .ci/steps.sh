# How `.ci/run` runs its steps; sourced, from the root of the checkout. Each says how long it took, the first one that
# fails ends all.

step() { # COMMAND...
  local began=$SECONDS
  printf '\n=== %s\n' "$*"
  "$@" </dev/null || {
    local code=$?
    printf '=== FAILED (%s) after %d s: %s\n' "$code" "$((SECONDS - began))" "$*"
    exit "$code"
  }
  printf '=== passed in %d s: %s\n' "$((SECONDS - began))" "$*"
}

fewer_than() { # NUMBER: waits until fewer of the steps run that were started beside each other
  while (($(jobs -rp | wc -l) >= $1)) && [[ ! -s .run/ci/failed ]]; do sleep 0.5; done
  [[ ! -s .run/ci/failed ]] || exit "$(<.run/ci/failed)"
}

two_at_a_time() { # STEP...: words of a command; what it prints is shown when it has ended
  rm -rf .run/ci && mkdir -p .run/ci
  set -m # each in a group of processes, to end all of it
  trap 'jobs -rp | sed s/^/-/ | xargs -r kill -- 2>/dev/null || true' EXIT
  local each kept number=0
  for each; do
    fewer_than 2
    kept=.run/ci/$((number += 1))
    {
      (step $each) >"$kept.log" 2>&1 && touch "$kept.passed" || echo $? >.run/ci/failed
      cat "$kept.log"
    } &
  done
  fewer_than 1
  (($(find .run/ci -name '*.passed' | wc -l) == $#)) || { # one that was killed says nothing
    printf '=== FAILED: not all of these ended: %s\n' "$*"
    exit 1
  }
}
