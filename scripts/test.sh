#!/bin/sh
# scripts/test.sh [slow]: the quick checks and tests, or only the slow tests.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
unset PYTHONDONTWRITEBYTECODE

if [ "${1:-}" = slow ]; then
  need_command chromium chromium # for Airflow's own pages
  step "pytest -m slow"
  status=0
  .venv/bin/pytest -m slow --timeout 1800 --durations 15 || status=$?
  if [ "$status" = 1 ]; then # real schedules on a machine that others use too: once more, with servers of their own
    step "pytest -m slow --last-failed"
    status=0
    .venv/bin/pytest -m slow --timeout 1800 --last-failed || status=$?
  fi
  [ "$status" = 5 ] || exit "$status" # 5: there is no slow test
  exit 0
fi
scripts/lint.sh
step "pytest"
.venv/bin/pytest --durations 10
