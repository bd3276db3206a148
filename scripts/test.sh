#!/bin/sh
# scripts/test.sh [slow|long|faults]: the quick checks and tests, or only the slow ones, or the long ones.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
unset PYTHONDONTWRITEBYTECODE
units=""
trap '[ -z "$units" ] || kill "$units" 2>/dev/null || true' EXIT INT TERM

# run ARGUMENTS: pytest; in $status how it ended, where 5, no test at all, is as good as 0
run() {
  step "pytest $*"
  status=0
  .venv/bin/pytest "$@" || status=$?
  [ "$status" != 5 ] || status=0
}

# begin_units ARGUMENTS: the tests of pure Python, which take what the others leave of the cores while they wait for servers
begin_units() {
  nice -n 19 .venv/bin/pytest tests/unit -p no:cacheprovider "$@" >.skewless/unit-tests.log 2>&1 &
  units=$!
}

# end_units: wait for them, and show what they said
end_units() {
  wait "$units" || { [ $? = 5 ] || status=1; }
  step "pytest tests/unit, meanwhile"
  cat .skewless/unit-tests.log
}

case "${1:-}" in
slow)
  need_command chromium chromium # for Airflow's own pages
  need_command mvn maven
  . scripts/go.sh
  scripts/servers.sh
  begin_units -m "slow and not long" --timeout 1800 --durations 5
  run --ignore tests/unit -m "slow and not long" --timeout 1800 --durations 20
  if [ "$status" = 1 ]; then # real schedules on a machine that others use too: once more, with servers of their own
    run --ignore tests/unit -m "slow and not long" --timeout 1800 --last-failed
  fi
  end_units
  ;;
long)
  need_command chromium chromium
  run -m long --timeout 3600 --durations 20
  ;;
faults)
  scripts/servers.sh
  export FAULTS=long
  run tests/faults -m slow --timeout 3600 --durations 20
  ;;
*)
  scripts/lint.sh
  begin_units
  run --ignore tests/unit --durations 20
  end_units
  ;;
esac
exit "$status"
