#!/bin/sh
# Make benchmarks/requirements.txt: the peers, and the engine's own packages as pyproject.toml pins them. Needs uv.
set -eu
cd "$(dirname "$0")/.."
uv pip compile --quiet --python-version 3.11 --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make bench-lock" --output-file benchmarks/requirements.txt benchmarks/requirements.in pyproject.toml
