#!/bin/sh
# Make .venv from requirements.txt, by uv if it is there, else by pip; again when that or the project's metadata changes.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
stamp=.venv/.complete
wanted=$( (cat requirements.txt; sed '/^\[tool\./,$d' pyproject.toml) | cksum) # not the tools' settings
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
rm -f "$stamp"

python=$(find_python)
if command -v uv >/dev/null 2>&1; then
  step "installing the packages of requirements.txt into .venv with uv (1.4 GB)"
  [ -x .venv/bin/python ] || uv venv --quiet --python "$python" .venv
  uv pip sync --quiet --python .venv/bin/python requirements.txt
  uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
else
  step "installing the packages of requirements.txt into .venv with pip (1.4 GB; a few minutes)"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --requirement requirements.txt
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fi
step "compiling their bytecode"
.venv/bin/python -m compileall -q -j0 .venv/lib >/dev/null 2>&1 || true  # templates in some packages are not Python
printf '%s\n' "$wanted" > "$stamp"
