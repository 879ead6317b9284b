"""Index advice finds what is planted and nothing in HMS's own schema; maintenance does what is due and then rests."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from core.database import advice as advising
from core.database.advice import Advice, accepted, advice, indexes
from core.database.maintenance import carry_out, due
from core.database.roles import connection_apart
from tests.architecture.catalogue import connected

KB = 1024


def said(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


@pytest.fixture
def planting(world: Any) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection; what is planted is rolled back."""
    with connected("hms_owner") as connection:
        connection.execute("CREATE TABLE planted_parent (id int PRIMARY KEY)")
        connection.execute(
            "CREATE TABLE planted (id int PRIMARY KEY, clinic_id uuid, parent_id int REFERENCES planted_parent, name text)"
        )
        yield connection


def about_planted(connection: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    return {(one.kind, one.subject) for one in advice(connection) if "planted" in one.subject}


# --- Advice ---------------------------------------------------------------------------------------------------------------
def test_the_own_schema_gives_no_cause(world: Any) -> None:
    with connection_apart("hms_maintenance") as connection:
        found = advice(connection)
        known = indexes(connection)
    assert [one for one in found if one.kind in ("missing", "duplicate", "invalid")] == []
    assert len(known) > 50


def test_what_is_accepted_still_exists(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = accepted()
    monkeypatch.setattr(advising, "_accepted", {})
    with connection_apart("hms_maintenance") as connection:
        found = {one.subject for one in advice(connection)}
    assert set(reasons) <= found and all(len(reason) > 10 for reason in reasons.values())


def test_a_reference_without_an_index_is_found_until_it_has_one(planting: psycopg.Connection[Any]) -> None:
    assert about_planted(planting) == {("missing", "planted(parent_id)")}
    planting.execute("CREATE INDEX planted_some ON planted (parent_id) WHERE name IS NOT NULL")
    assert about_planted(planting) == {("missing", "planted(parent_id)")}
    planting.execute("CREATE INDEX planted_all ON planted (parent_id, name)")
    assert about_planted(planting) == set()


def test_a_reference_to_rows_that_stay_needs_none(planting: psycopg.Connection[Any]) -> None:
    planting.execute("REVOKE DELETE ON planted_parent FROM hms_app, hms_platform")
    assert about_planted(planting) == set()


def test_a_policys_column_without_an_index_is_found(planting: psycopg.Connection[Any]) -> None:
    planting.execute("CREATE INDEX planted_parent_of ON planted (parent_id)")
    planting.execute("ALTER TABLE planted ENABLE ROW LEVEL SECURITY")
    planting.execute("CREATE POLICY clinic ON planted USING (clinic_id = NULLIF(current_setting('hms.clinic_id', true), '')::uuid)")
    assert about_planted(planting) == {("missing", "planted(clinic_id)")}
    planting.execute("CREATE INDEX planted_clinic ON planted (clinic_id, name)")
    assert about_planted(planting) == set()


@pytest.mark.parametrize(
    ("first", "second", "superfluous"),
    [
        ("(name)", "(name, id)", {"planted_a"}),
        ("(name)", "(name)", {"planted_b"}),
        ("(lower(name))", "(lower(name), id)", {"planted_a"}),
        ("(lower(name))", "(upper(name), id)", set()),
        ("(name)", "(id, name)", set()),
        ("(name DESC)", "(name, id)", set()),
        ("(name text_pattern_ops)", "(name, id)", set()),
        ('(name COLLATE "C")', "(name, id)", set()),
        ("(name) WHERE id > 5", "(name, id)", set()),
        ("(name) INCLUDE (clinic_id)", "(name, id)", set()),
        ("(name) INCLUDE (id)", "(name, id)", {"planted_a"}),
    ],
)
def test_an_index_that_another_contains_is_found(
    planting: psycopg.Connection[Any], first: str, second: str, superfluous: set[str]
) -> None:
    planting.execute("CREATE INDEX planted_parent_of ON planted (parent_id)")
    planting.execute(f"CREATE INDEX planted_a ON planted {first}")
    planting.execute(f"CREATE INDEX planted_b ON planted {second}")
    assert about_planted(planting) == {("duplicate", name) for name in superfluous}


def test_what_holds_a_rule_is_never_superfluous(planting: psycopg.Connection[Any]) -> None:
    planting.execute("CREATE INDEX planted_parent_of ON planted (parent_id)")
    planting.execute("CREATE UNIQUE INDEX planted_a ON planted (name)")
    planting.execute("CREATE INDEX planted_b ON planted (name, clinic_id)")
    assert about_planted(planting) == set()
    planting.execute("CREATE INDEX planted_z ON planted (name)")
    assert about_planted(planting) == {("duplicate", "planted_z")}


def test_an_index_that_nothing_uses_is_found_in_a_large_table_after_a_while(world: Any) -> None:
    with connection_apart("hms_maintenance") as connection:
        some = next(one for one in indexes(connection) if one.name == "patients_by_birth")
    idle = replace(some, scans=0, table_rows=advising.ACTIVE_ROWS)
    assert [one.subject for one in advising._unused([idle], 20)] == ["patients_by_birth"]
    for busy in (
        replace(idle, scans=1),
        replace(idle, table_rows=5),
        replace(idle, is_unique=True),
        replace(idle, of_constraint=True),
    ):
        assert list(advising._unused([busy], 20)) == []


def test_an_index_left_behind_by_an_interrupted_build_is_found(world: Any) -> None:
    with connection_apart("hms_maintenance") as connection:
        some = indexes(connection)[0]
    assert advising._invalid(replace(some, is_valid=False)).kind == "invalid"


# --- Bloat, and what is done about it ---------------------------------------------------------------------------------------
def tasks_of(table: str, connection: psycopg.Connection[Any]) -> list[Any]:
    return [task for task in due(connection, bloat_bytes=256 * KB) if table in task.words]


def test_dead_rows_are_vacuumed_bloated_indexes_rebuilt_and_then_nothing_is_due(worn: str) -> None:
    with connection_apart("hms_maintenance") as connection, connection_apart(doer()) as work:
        (vacuum,) = tasks_of(worn, connection)
        assert vacuum.words == "VACUUM (ANALYZE) planted_worn" and "dead rows" in vacuum.reason
        carry_out(work, vacuum)
        found = [one for one in advice(connection, bloat_bytes=256 * KB) if one.subject.startswith(worn)]
        assert {(one.kind, one.subject) for one in found} == {
            ("bloated", "planted_worn_name"),
            ("bloated", "planted_worn_pkey"),
        }
        before = size_of("planted_worn_name", connection)
        for task in tasks_of(worn, connection):
            assert task.words.startswith("REINDEX INDEX CONCURRENTLY")
            carry_out(work, task)
        assert size_of("planted_worn_name", connection) < before / 5
        assert tasks_of(worn, connection) == []


def doer() -> str:
    with connection_apart("hms_maintenance") as connection:
        return "hms_maintenance" if connection.info.server_version >= 170_000 else "hms_owner"


def size_of(index: str, connection: psycopg.Connection[Any]) -> int:
    (size,) = connection.execute("SELECT pg_relation_size(%s::regclass)", [index]).fetchone() or (0,)
    return int(size)


# --- Commands ---------------------------------------------------------------------------------------------------------------
def test_maintain_says_what_it_would_do_and_what_it_did(worn: str, seals_apart: Path) -> None:
    assert "VACUUM (ANALYZE) planted_worn: 57000 dead rows beside 3000\n" in said("maintain", "--dry-run")
    assert "VACUUM (ANALYZE) planted_worn: 57000 dead rows" in said("maintain")
    assert "VACUUM (ANALYZE) planted_worn" not in said("maintain", "--dry-run")


def test_index_advice_speaks_json_and_fails_when_asked(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    schema_alone = ("--days", "10000", "--bloat-mb", "10000")  # other tests leave rolled-back rows behind
    assert said("index_advice", *schema_alone, "--check") == "0 to look at.\n"
    assert "clinics_provider(user_id)" in said("index_advice", "--accepted")
    monkeypatch.setattr(advising, "_accepted", {})
    found = [Advice(**one) for one in json.loads(said("index_advice", "--days", "10000", "--json"))]
    assert ("missing", "clinics_provider(user_id)") in {(one.kind, one.subject) for one in found}
    with pytest.raises(CommandError, match="to look at"):
        said("index_advice", "--check")


def test_without_the_maintenance_role_the_commands_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASE_ROLE_URLS, "hms_maintenance", "")
    for command in ("index_advice", "maintain"):
        with pytest.raises(CommandError, match="hms_maintenance is not set"):
            said(command)
