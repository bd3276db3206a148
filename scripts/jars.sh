#!/bin/sh
# Copy the Delta jars into a folder by Maven: scripts/jars.sh [.skewless/jars]
# Only those that the pyspark wheel lacks; scripts/jars/pom.xml names them.
set -eu
cd "$(dirname "$0")/.."
jars=${1:-.skewless/jars}
stamp=$jars/.complete
if [ -f "$stamp" ] && cmp -s "$stamp" scripts/jars/pom.xml; then exit 0; fi

. scripts/lib.sh
need_command mvn maven
step "bringing the Delta jars by Maven"
rm -rf "$jars"
mkdir -p "$jars"
log=$jars/maven.log # some of Maven's plugins write colours even so
mvn --quiet --batch-mode -Dstyle.color=never -f scripts/jars/pom.xml \
  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$(cd "$jars" && pwd)" >"$log" 2>&1 || { cat "$log"; exit 1; }
cp scripts/jars/pom.xml "$stamp"
