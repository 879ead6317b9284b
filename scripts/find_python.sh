#!/bin/sh
# Prints the path of a Python that HMS runs on (3.12 or newer, with venv): from PATH, pyenv or uv; or says what to install.

fits() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

answer() {
    "$1" -c 'import sys; print(sys.executable)'
    exit 0
}

if [ -n "$PYTHON" ]; then
    if fits "$PYTHON"; then answer "$PYTHON"; fi
    echo "PYTHON=$PYTHON is not a Python 3.12 or newer with venv." >&2
    exit 1
fi

for name in python3.13 python3.14 python3.12 python3 python; do
    if fits "$name"; then answer "$name"; fi
done

pyenv_root=${PYENV_ROOT:-$(pyenv root 2>/dev/null || echo "$HOME/.pyenv")}
for version in 3.13 3.14 3.12; do
    for candidate in "$pyenv_root"/versions/"$version"*/bin/python; do
        if fits "$candidate"; then answer "$candidate"; fi
    done
done

for uv in uv "$HOME/.local/bin/uv"; do
    if "$uv" --version >/dev/null 2>&1; then
        found=$("$uv" python find --no-project '>=3.12' 2>/dev/null)
        if [ -z "$found" ]; then
            echo "Fetching Python 3.13 with uv ..." >&2
            "$uv" python install 3.13 >&2 && found=$("$uv" python find --no-project 3.13)
        fi
        if [ -n "$found" ] && fits "$found"; then answer "$found"; fi
    fi
done

echo "HMS needs Python 3.12 or newer with venv: install it (Debian and Ubuntu: apt install python3 python3-venv; or pyenv, or uv) and run make again." >&2
exit 1
