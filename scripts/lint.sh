#!/bin/sh
# Linters, types and import contracts.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

step "ruff check";          .venv/bin/ruff check --quiet .
step "ruff format --check"; .venv/bin/ruff format --check --quiet .
step "mypy --strict";       .venv/bin/mypy --no-error-summary
step "import contracts";    .venv/bin/lint-imports --no-cache >.skewless/lint-imports.log || { cat .skewless/lint-imports.log; exit 1; }
