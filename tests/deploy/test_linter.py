"""`scripts/lint_migrations.py`: what locks or breaks is found, and the list of released migrations names real ones."""

from pathlib import Path

from django.conf import settings

from scripts.lint_migrations import OURS, RELEASED, lint

SAFE = 'CREATE TABLE "new" ("id" uuid NOT NULL PRIMARY KEY); CREATE INDEX "i" ON "new" ("id");'


def test_a_new_table_is_no_danger() -> None:
    assert lint("a", SAFE, in_transaction=True) == 0


def test_what_locks_or_breaks_is_found() -> None:
    assert lint("a", 'CREATE INDEX "i" ON "core_user" ("email");', in_transaction=True) == 1
    assert lint("a", 'ALTER TABLE "core_user" DROP COLUMN "email";', in_transaction=True) == 1
    assert lint("a", 'CREATE INDEX CONCURRENTLY "i" ON "core_user" ("email");', in_transaction=False) == 0


def test_what_has_a_reason_is_let_pass() -> None:
    assert lint("a", 'ALTER TABLE "core_user" DROP COLUMN "email";', in_transaction=True, accepted="ban-drop-column") == 0


def test_released_migrations_are_there() -> None:
    names = RELEASED.read_text().split()
    assert names and {name.partition(".")[0] for name in names} == set(OURS)
    for name in names:
        label, _, file = name.partition(".")
        assert Path(settings.BASE_DIR, label, "migrations", f"{file}.py").exists(), name
