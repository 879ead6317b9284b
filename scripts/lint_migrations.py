"""Gives the SQL of migrations that are not released yet to squawk: what would lock a table for long, or break running code?"""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
RELEASED = PROJECT / "scripts" / "released_migrations.txt"
OURS = ("core", "clinics", "patients", "appointments", "hms")
# Style, not danger; and what Django or `manage.py migrate` does in its own way.
LEFT_OUT = (
    "prefer-robust-stmts,prefer-text-field,prefer-identity,prefer-bigint-over-int,prefer-bigint-over-smallint,"
    "require-timeout-settings"
)


def main() -> int:
    sys.path.insert(0, str(PROJECT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
    import django

    django.setup()
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(connection)
    released = set(RELEASED.read_text().split())
    wrong = 0
    for (label, name), migration in sorted(loader.disk_migrations.items()):
        if label in OURS and f"{label}.{name}" not in released:
            accepted = ",".join(getattr(migration, "accepted", {}))
            script = "\n".join(loader.collect_sql([(migration, False)]))
            wrong += lint(f"{label}.{name}", script, in_transaction=migration.atomic, accepted=accepted)
    return min(wrong, 1)


def lint(name: str, script: str, *, in_transaction: bool, accepted: str = "") -> int:
    """1 if squawk finds something in it, which is written to standard output."""
    squawk = Path(sys.executable).with_name("squawk")
    left_out = f"{LEFT_OUT},{accepted}".strip(",")
    command = [str(squawk), "--pg-version=15", f"--exclude={left_out}", f"--stdin-filepath={name}.sql"]
    if in_transaction:
        command.append("--assume-in-transaction")
    return int(subprocess.run(command, input=script, text=True, check=False).returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
