# What the scripts share; read by `. scripts/lib.sh` in the project's folder.
setup_started=${setup_started:-$(date +%s)}
export setup_started

# step WORDS: one line of progress, with the seconds since the first script began
step() { printf '[%4ss] %s\n' "$(($(date +%s) - setup_started))" "$*"; }

# need_package REASON PACKAGE: as root on Debian or Ubuntu install it, else say what to type, and end
need_package() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    step "$1: installing $2 with apt"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null && apt-get install -y -qq --no-install-recommends "$2" </dev/null >/dev/null && return 0
    echo "apt could not install $2: see its message above, then run make again" >&2
  else
    echo "$1; type: sudo apt-get install -y $2   (or your system's package of it), then run make again" >&2
  fi
  exit 1
}

# need_command COMMAND PACKAGE
need_command() {
  command -v "$1" >/dev/null 2>&1 || need_package "$1 is missing" "$2"
}

# find_python: print an interpreter of version 3.11 or 3.12, with venv
find_python() {
  for found in python3.11 python3.12 python3; do
    "$found" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null || continue
    echo "$found"
    return 0
  done
  echo "Python 3.11 or 3.12 with venv is needed; type: sudo apt-get install -y python3.11 python3.11-venv" >&2
  exit 1
}
