#!/bin/sh
# Make .venv-bench from benchmarks/requirements.txt, by uv if it is there, else by pip; again when that changes.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
stamp=.venv-bench/.complete
if cmp -s "$stamp" benchmarks/requirements.txt; then exit 0; fi
rm -f "$stamp"

python=$(find_python)
step "installing the packages of benchmarks/requirements.txt into .venv-bench"
if command -v uv >/dev/null 2>&1; then
  [ -x .venv-bench/bin/python ] || uv venv --quiet --python "$python" .venv-bench
  uv pip sync --quiet --python .venv-bench/bin/python benchmarks/requirements.txt
else
  [ -x .venv-bench/bin/python ] || "$python" -m venv .venv-bench
  .venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement benchmarks/requirements.txt
fi
cp benchmarks/requirements.txt "$stamp"
