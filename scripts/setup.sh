#!/bin/sh
# Make this checkout ready: .venv from requirements.txt, Java, the Delta jars, an archive of their classes. What is done already is not done again.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV

scripts/venv.sh
scripts/java.sh
scripts/jars.sh
scripts/class_archive.sh
