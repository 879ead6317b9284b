#!/bin/sh
# Makes .venv and installs what a requirements file names; does nothing when that was done already.
# Usage: scripts/environment.sh requirements.txt [.venv]
set -e

requirements=$1
venv=${2:-.venv}
stamp="$venv/.installed-$(basename "$requirements" .txt)"

if [ ! -x "$venv/bin/python" ]; then
    python=$("$(dirname "$0")/find_python.sh")
    echo "Making $venv with $("$python" --version) ($python)"
    "$python" -m venv --clear "$venv"
fi

wanted=$("$venv/bin/python" - requirements.txt "$requirements" <<'PYTHON'
import hashlib, pathlib, sys
print(sys.version, hashlib.sha256(b"".join(pathlib.Path(name).read_bytes() for name in sys.argv[1:])).hexdigest())
PYTHON
)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi
echo "Installing $requirements (a few minutes with a cold package cache) ..."
"$venv/bin/python" -m pip install --disable-pip-version-check --requirement "$requirements"
printf '%s\n' "$wanted" > "$stamp"
