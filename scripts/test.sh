#!/bin/sh
# scripts/test.sh [slow|long]: the quick checks and tests, or only the slow ones, or the long ones.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
unset PYTHONDONTWRITEBYTECODE

# servers ARGUMENTS: the tests that need servers; their status in $status, where 5, no test at all, is as good as 0
servers() {
  status=0
  .venv/bin/pytest --ignore tests/unit "$@" || status=$?
  [ "$status" != 5 ] || status=0
}

# begin_units ARGUMENTS: the tests of pure Python, which keep a core busy while those of servers mostly wait
begin_units() {
  mkdir -p .skewless
  nice -n 19 .venv/bin/pytest tests/unit -p no:cacheprovider "$@" >.skewless/unit-tests.log 2>&1 &
  units=$!
  trap 'kill "$units" 2>/dev/null || true' EXIT INT TERM
}

# end: show what the units said, and end with a failure if there was one anywhere
end() {
  wait "$units" || { [ $? = 5 ] || status=1; }
  step "pytest tests/unit"
  cat .skewless/unit-tests.log
  exit "$status"
}

if [ "${1:-}" = long ]; then
  need_command chromium chromium
  step "pytest -m long"
  exec .venv/bin/pytest -m long --timeout 3600 --durations 20
fi
if [ "${1:-}" = slow ]; then
  need_command chromium chromium # for Airflow's own pages
  step "pytest -m slow"
  servers -m "slow and not long" --timeout 1800 --durations 20
  if [ "$status" = 1 ]; then # real schedules on a machine that others use too: once more, with servers of their own
    step "pytest -m slow --last-failed"
    servers -m "slow and not long" --timeout 1800 --last-failed
  fi
  begin_units -m "slow and not long" --timeout 1800 # afterwards: schedules suffer from a busy machine
  end
fi
scripts/lint.sh
step "pytest"
begin_units
servers --durations 20
end
