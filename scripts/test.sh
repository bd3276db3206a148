#!/bin/sh
# scripts/test.sh [slow|long]: the quick checks and tests, or only the slow ones, or the long ones.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
unset PYTHONDONTWRITEBYTECODE

# run ARGUMENTS: pytest; in $status how it ended, where 5, no test at all, is as good as 0
run() {
  step "pytest $*"
  status=0
  .venv/bin/pytest "$@" || status=$?
  [ "$status" != 5 ] || status=0
}

case "${1:-}" in
slow)
  need_command chromium chromium # for Airflow's own pages
  run -m "slow and not long" --timeout 1800 --durations 20
  if [ "$status" = 1 ]; then # real schedules on a machine that others use too: once more, with servers of their own
    run -m "slow and not long" --timeout 1800 --last-failed
  fi
  ;;
long)
  need_command chromium chromium
  run -m long --timeout 3600 --durations 20
  ;;
*)
  scripts/lint.sh
  # The tests of pure Python take what the others leave of the cores while they wait for servers.
  nice -n 19 .venv/bin/pytest tests/unit -p no:cacheprovider >.skewless/unit-tests.log 2>&1 &
  units=$!
  trap 'kill "$units" 2>/dev/null || true' EXIT INT TERM
  run --ignore tests/unit --durations 20
  wait "$units" || { [ $? = 5 ] || status=1; }
  step "pytest tests/unit, meanwhile"
  cat .skewless/unit-tests.log
  ;;
esac
exit "$status"
