#!/bin/sh
# Archive Java's classes for the Sparks that a .venv starts: scripts/class_archive.sh [.venv]; again when its packages change.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
venv=${1:-.venv}
if [ "$venv/share/skewless/spark.jsa" -nt "$venv/.complete" ]; then exit 0; fi
step "archiving Java's classes, so that every Spark starts sooner (under a minute)"
PYTHONPATH=$PWD "$venv/bin/python" -m skewless.local.class_archive .skewless/jars \
  || step "without that archive (see above) every Spark takes some seconds more to start"
