#!/bin/sh
# Demand Java 17 or newer, as skewless/local/java.py does at run time.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

java=${JAVA_HOME:+$JAVA_HOME/bin/}java
version=$("$java" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1) || version=
[ "${version:-0}" -lt 17 ] || exit 0
if [ -n "${JAVA_HOME:-}" ]; then
  echo "Java 17 or newer is needed, and JAVA_HOME=$JAVA_HOME has ${version:+Java }${version:-none}; set it to a newer one, or unset it" >&2
  exit 1
fi
need_package "Java 17 or newer is needed, and this is ${version:+Java }${version:-missing}" openjdk-17-jdk-headless
