#!/usr/bin/env bash
# Runs tests as if it were another moment: theirs, PostgreSQL's, Redis's, gunicorn's and Chromium's clock are shifted alike.
# Usage: scripts/test_at.sh "tomorrow 23:40" [what pytest takes]; the moment is one that GNU date reads, in UTC.
set -euo pipefail
cd "$(dirname "$0")/.."

refuse() { echo "$1"; exit 2; }
python=.venv/bin/python
[ -n "${1:-}" ] || refuse "Say when: make test-hours AT=\"tomorrow 23:40\" (UTC)."
[ -z "${DATABASE_URL:-}" ] || refuse "Only the embedded PostgreSQL's clock can be shifted: unset DATABASE_URL."
command -v cc >/dev/null || refuse "Shifting the clock needs a C compiler (Debian and Ubuntu: apt install gcc libc6-dev)."
moment=$(date -u -d "$1" +%s 2>/dev/null) || refuse "AT is a moment as GNU date reads it: \"tomorrow 23:40\", \"2027-01-31 03:00\"."
ahead=$((moment - $(date +%s)))
shift

export HMS_VAR_DIR=var/hours PYTHONHASHSEED=0
folder=$(mktemp -d)  # not below var: as root, the database's user may not get there
trap '"$python" manage.py db stop >/dev/null; rm -r "$folder"' EXIT
chmod 755 "$folder"
cc -std=c11 -O2 -shared -fPIC -DSHIFT="${ahead}LL" -o "$folder/clock.so" scripts/shifted_clock.c
"$python" manage.py db stop >/dev/null  # one that somebody left running has another clock

export LD_PRELOAD="$folder/clock.so"
echo "Testing as if it were $(date -u '+%A, %Y-%m-%d %H:%M') UTC"
"$python" -m pytest "$@"
