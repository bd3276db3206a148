#!/bin/sh
# Make requirements.txt from pyproject.toml: every package that any extra brings, pinned. Needs uv.
set -eu
cd "$(dirname "$0")/.."
uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock" --output-file requirements.txt pyproject.toml
if grep -q '^pyspark-client' requirements.txt; then
  echo "requirements.txt has pyspark-client, which overwrites pyspark's files: find out who brings it (uv tree --invert)" >&2
  exit 1
fi
