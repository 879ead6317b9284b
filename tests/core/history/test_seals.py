"""What the owner of the database does to history or to its seals is found, and named: block, table and row."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from core.history import sealing
from core.history.anchors import anchor, read_anchors
from core.history.protecting import Batch, rewrite
from core.history.sealing import Chain, chains, seal
from core.history.verification import Verified, verify
from core.keys.sealing import SEALED_TEXT
from tests.architecture.catalogue import connected
from tests.core.history.sealed_rows import SealedRows
from tests.factories.world import World

CLINIC = "clinic_id = %(clinic)s"


class Trail(SealedRows):
    """Riverside's sealed history in a transaction that is rolled back, in blocks of five rows, with its anchors."""

    def __init__(self, connection: psycopg.Connection[Any], clinic_id: UUID, folder: Path) -> None:
        super().__init__(connection, clinic_id, folder)
        self.change("Leeds")
        self.free = self.one("SELECT nextval(pg_get_serial_sequence('core_change', 'id'))")
        for city in ("York", "Hull", "Ripon"):
            self.change(city)
        seal(connection)
        anchor(connection, folder)

    def change(self, city: str) -> None:
        self.do("UPDATE patients_patient SET city = %(city)s WHERE clinic_id = %(clinic)s", city=city)

    def row(self, block: int, position: int = 0) -> int:
        """The number of a row of that block."""
        return self.row_of("core_change", block, position + 1)

    def last(self) -> int:
        return int(self.one("SELECT max(number) FROM core_seal WHERE clinic_id = %(clinic)s AND table_name = 'core_change'"))

    def chain(self) -> Chain:
        return next(one for one in chains(self.connection, self.clinic_id) if one.table == "core_change")

    def found(self, **options: Any) -> list[tuple[int, int | None, str]]:
        given = {"anchors": read_anchors(self.folder)} | options
        findings = list(verify(self.connection, Verified(), **given))
        return [(one.number, one.row_id, one.words) for one in findings if one.chain.clinic_id == self.clinic_id]


@pytest.fixture
def trail(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trail]:
    """As the owner, who may switch row-level security off and triggers too."""
    monkeypatch.setattr(sealing, "BATCH", 5)
    with connected("postgres") as connection:
        yield Trail(connection, world.riverside.clinic.pk, tmp_path)


def test_an_untouched_trail_is_whole(trail: Trail) -> None:
    verified = Verified()
    assert trail.last() > 4
    assert list(verify(trail.connection, verified, anchors=read_anchors(trail.folder))) == []  # of no clinic at all
    assert verified.unsealed == 0
    there = "clinic_id IS NULL OR clinic_id IN (SELECT id FROM core_clinic)"  # other tests take clinics away
    assert verified.rows == trail.one(f"SELECT count(*) FROM core_change WHERE {there}")
    trail.change("Selby")
    assert seal(trail.connection).blocks > 0 and seal(trail.connection).blocks == 0
    assert trail.found() == []


def edit_reason(trail: Trail) -> Any:
    trail.do("UPDATE core_change SET reason = 'another' WHERE id = %(id)s", id=trail.row(3))
    return [(3, trail.row(3), "it was changed")]


def edit_time(trail: Trail) -> Any:
    trail.do("UPDATE core_change SET at = at + interval '1 microsecond' WHERE id = %(id)s", id=trail.row(3, 4))
    return [(3, trail.row(3, 4), "it was changed")]


def edit_values(trail: Trail) -> Any:
    trail.do("UPDATE core_change SET new_values = '{}' WHERE id = %(id)s", id=trail.row(2))
    return [(2, trail.row(2), "its values were changed")]


def empty_values_without_saying_so(trail: Trail) -> Any:
    trail.do("UPDATE core_change SET new_values = NULL, old_values = NULL, salt = NULL WHERE id = %(id)s", id=trail.row(2))
    return [(2, trail.row(2), "its values were changed")]


def give_values_another_digest(trail: Trail) -> Any:
    trail.do("UPDATE core_change SET new_values = '{}', digest = sha256(uuid_send(salt) || convert_to("
             "jsonb_build_array(old_values, '{}'::jsonb)::text, 'UTF8')) WHERE id = %(id)s", id=trail.row(2))  # fmt: skip
    return [(2, trail.row(2), "it was changed")]


def delete_rows(trail: Trail) -> Any:
    gone = [trail.row(1), trail.row(trail.last())]
    trail.do("DELETE FROM core_change WHERE id = ANY(%(ids)s)", ids=gone)
    return [(1, gone[0], "it is missing"), (trail.last(), gone[1], "it is missing")]


def insert_a_row(trail: Trail) -> Any:
    trail.do("INSERT INTO core_change SELECT (jsonb_populate_record(c, jsonb_build_object('id', %(free)s::bigint))).* "
             "FROM core_change c WHERE id = %(id)s", free=trail.free, id=trail.row(1))  # fmt: skip
    number = next(n for n in range(1, trail.last() + 1) if trail.row(n, 0) > trail.free or _last_of(trail, n) > trail.free)
    return [(number, trail.free, "it was added")]


def _last_of(trail: Trail, number: int) -> int:
    return int(trail.one("SELECT row_ids[cardinality(row_ids)] FROM core_seal WHERE clinic_id = %(clinic)s AND number = %(n)s "
                         "AND table_name = 'core_change'", n=number))  # fmt: skip


def swap_two_rows(trail: Trail) -> Any:
    one, other = trail.row(2), trail.row(4)
    for old, new in ((one, -1), (other, one), (-1, other)):
        trail.do("UPDATE core_change SET id = %(new)s WHERE id = %(old)s", old=old, new=new)
    return [(2, one, "it was changed"), (4, other, "it was changed")]


def move_a_row_to_another_clinic(trail: Trail) -> Any:
    trail.do("UPDATE core_change SET clinic_id = NULL WHERE id = %(id)s", id=trail.row(2))
    return [(2, trail.row(2), "it is missing")]


def delete_a_block(trail: Trail) -> Any:
    _delete_blocks(trail, "= 2")
    return [(2, None, "it is missing"), (3, None, "it does not follow the block before it"),
            *((3, id_, "it was added") for id_ in _ids_of(trail, trail.row(1, 4), trail.row(3) - 1))]  # fmt: skip


def _delete_blocks(trail: Trail, which: str) -> None:
    trail.do(f"DELETE FROM core_seal WHERE clinic_id = %(clinic)s AND table_name = 'core_change' AND number {which}")


def _ids_of(trail: Trail, after: int, until: int) -> list[int]:
    found = trail.connection.execute("SELECT id FROM core_change WHERE clinic_id = %s AND id > %s AND id <= %s ORDER BY id",
                                     [trail.clinic_id, after, until])  # fmt: skip
    return [id_ for (id_,) in found.fetchall()]


def cut_off_the_end(trail: Trail) -> Any:
    last = trail.last()
    trail.do("DELETE FROM core_change WHERE clinic_id = %(clinic)s AND id >= %(id)s", id=trail.row(last - 1))
    _delete_blocks(trail, f">= {last - 1}")
    return [(last, None, f"it is missing; it was anchored {_anchored(trail, last)}")]


def _anchored(trail: Trail, number: int) -> str:
    return read_anchors(trail.folder)[trail.clinic_id, "core_change"][number].at


def change_a_block_s_digests(trail: Trail) -> Any:
    """So that they fit a changed row."""
    trail.do("UPDATE core_change SET reason = 'another' WHERE id = %(id)s", id=trail.row(2))
    trail.do("UPDATE core_seal SET row_digests = %(digests)s WHERE clinic_id = %(clinic)s AND number = 2 "
             "AND table_name = 'core_change'", digests=_digests(trail, 2))  # fmt: skip
    return [(2, None, "it was changed")]


def _digests(trail: Trail, number: int) -> bytes:
    chain, before = trail.chain(), trail.row(number - 1, 4)
    given = chain.values(after=before, until=trail.row(number, 4), batch=5)
    return b"".join(row[1] for row in trail.connection.execute(chain.statement(sealing.ROWS), given).fetchall())


def rewrite_the_chain_without_the_key(trail: Trail) -> Any:
    last = trail.last()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "seal_keys", lambda: {1: b"a guess"})
        _rewrite_from_two(trail)
    anchored = f"it is not the one that was anchored {_anchored(trail, last)}"
    return [*((n, None, "it was not sealed with the key") for n in range(2, last + 1)), (last, None, anchored)]


def rewrite_the_chain_with_the_key(trail: Trail) -> Any:
    last = trail.last()
    _rewrite_from_two(trail)
    return [(last, None, f"it is not the one that was anchored {_anchored(trail, last)}")]


def _rewrite_from_two(trail: Trail) -> None:
    trail.do("UPDATE core_change SET reason = 'another' WHERE id = %(id)s", id=trail.row(2))
    _delete_blocks(trail, ">= 2")
    seal(trail.connection)


TAMPERING: list[Callable[[Trail], Any]] = [
    edit_reason, edit_time, edit_values, empty_values_without_saying_so, give_values_another_digest, delete_rows, insert_a_row,
    swap_two_rows, move_a_row_to_another_clinic, delete_a_block, cut_off_the_end, change_a_block_s_digests,
    rewrite_the_chain_without_the_key, rewrite_the_chain_with_the_key,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERING, ids=lambda one: one.__name__)
def test_tampering_is_found_and_named(trail: Trail, tamper: Callable[[Trail], Any]) -> None:
    assert trail.found() == []
    expected = tamper(trail)
    assert trail.found() == expected


def test_a_whole_clinic_s_chain_that_is_gone_is_found(trail: Trail) -> None:
    last = trail.last()
    trail.do("DELETE FROM core_seal WHERE clinic_id = %(clinic)s")
    assert trail.found() == [(last, None, f"it is missing; it was anchored {_anchored(trail, last)}")]


def test_since_looks_at_later_blocks_only(trail: Trail) -> None:
    trail.do("UPDATE core_change SET reason = 'another' WHERE id = %(id)s", id=trail.row(2))
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert trail.found(since=later) == []
    assert trail.found(since=later - timedelta(days=1)) == [(2, trail.row(2), "it was changed")]


def test_a_block_under_a_key_that_is_gone_says_so(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _, encoded = settings.HMS_ENCRYPTION_KEYS[0].partition(":")
    monkeypatch.setattr(settings, "HMS_ENCRYPTION_KEYS", [f"{int(number) + 1}:{encoded}"])
    assert trail.found()[0] == (1, None, f"its key {number} is not in HMS_ENCRYPTION_KEYS")


def test_a_new_key_seals_and_the_old_one_verifies(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _, encoded = settings.HMS_ENCRYPTION_KEYS[0].partition(":")
    new = f"{int(number) + 1}:{'A' * 43}="
    monkeypatch.setattr(settings, "HMS_ENCRYPTION_KEYS", [new, f"{number}:{encoded}"])
    trail.change("Selby")
    seal(trail.connection)
    keys = trail.connection.execute("SELECT DISTINCT key_number FROM core_seal").fetchall()
    assert len(keys) == 2 and trail.found() == []


def test_erased_history_is_still_whole_and_says_what_happened(trail: Trail, world: World) -> None:
    patient = world.riverside.patients[0]
    erase = "SELECT hms_erase_history(%(clinic)s, ARRAY[%(id)s::uuid], 'anonymised')"
    trail.connection.execute("SET LOCAL ROLE hms_maintenance")
    assert trail.one(erase, id=patient.pk) >= 5
    assert trail.one(erase, id=patient.pk) == 0
    trail.connection.execute("RESET ROLE")
    kept = trail.connection.execute("SELECT operation, old_values, new_values, salt FROM core_change WHERE row_id = %s ORDER BY id",
                                    [patient.pk]).fetchall()  # fmt: skip
    assert all(one[1:] == (None, None, None) for one in kept[:-1]) and len(kept) > 5
    assert kept[-1][:3] == ("erase", None, {"changes": len(kept) - 1})
    assert trail.found() == []
    seal(trail.connection)
    assert trail.found() == []
    trail.do("DELETE FROM core_change WHERE operation = 'erase'")
    assert len(trail.found()) == len(kept)  # each emptied row, and the missing one that told of it


SEALS = json.dumps({"city": SEALED_TEXT + "sealed"})


def protect(trail: Trail, seals: str = SEALS) -> int:
    """As the rotation does; returns an entry that was rewritten."""
    york = "SELECT id FROM core_change WHERE clinic_id = %(clinic)s AND new_values ->> 'city' = 'York' ORDER BY id LIMIT 2"
    ids = trail.one(f"SELECT array_agg(id) FROM ({york}) c")
    with trail.connection.cursor() as cursor:
        assert rewrite(cursor, trail.clinic_id, Batch(ids, [seals] * 2, [seals] * 2)) == 2
    return int(ids[0])


def test_values_that_were_sealed_later_are_whole_and_nothing_of_them_is_left(trail: Trail) -> None:
    clear = "SELECT salt FROM core_change WHERE id = %(id)s"
    before = trail.one("SELECT min(id) FROM core_change WHERE new_values ->> 'city' = 'York' AND clinic_id = %(clinic)s")
    salt = trail.one(clear, id=before)
    row = protect(trail)
    assert row == before and trail.one(clear, id=row) != salt, "with the old salt the values could be tried out"
    assert trail.one("SELECT new_values ->> 'city' FROM core_change WHERE id = %(id)s", id=row) == SEALED_TEXT + "sealed"
    assert trail.found() == []
    seal(trail.connection)
    assert trail.found() == []
    with trail.connection.cursor() as cursor:
        assert rewrite(cursor, trail.clinic_id, Batch([row], [SEALS], [SEALS])) == 0, "only what stands in clear is sealed"
    patient = trail.one("SELECT row_id FROM core_change WHERE id = %(id)s", id=row)
    trail.do("SELECT hms_erase_history(%(clinic)s, ARRAY[%(row)s::uuid], 'anonymised')", row=patient)
    assert trail.found() == []


@pytest.mark.parametrize("seals", ['{"city": "Selby"}', '{"version": "\\u0002x"}', '{"unheard": "\\u0002x"}', '{"city": null}'])
def test_nothing_but_a_seal_can_be_put_in_the_place_of_a_clear_value(trail: Trail, seals: str) -> None:
    with pytest.raises(AssertionError):
        protect(trail, seals)


@pytest.mark.parametrize(
    "tamper",
    [
        'UPDATE core_change SET new_values = new_values || \'{"city": "Selby"}\' WHERE id = %(id)s',
        "DELETE FROM core_change WHERE operation = 'protect'",
        "UPDATE core_change SET new_values = jsonb_build_object(%(id)s::text, '1:' || repeat('0', 64)) WHERE operation = 'protect'",
        "UPDATE core_change SET new_values = jsonb_build_object(%(id)s::text, 'x') WHERE operation = 'protect'",
    ],
)
def test_who_has_no_key_can_t_say_that_values_were_sealed(trail: Trail, tamper: str) -> None:
    row = protect(trail)
    trail.do(tamper, id=row)
    assert (row, "its values were changed") in [found[1:] for found in trail.found()]


def test_a_row_that_is_not_in_yet_keeps_its_table_waiting(world: World) -> None:
    """A lower number may still come: whoever writes is waited for, at most for as long as one has patience."""
    with connected("hms_app") as writer, connected("hms_platform") as sealer:
        writer.execute("SELECT set_config('hms.clinic_id', %s, true)", [str(world.riverside.clinic.pk)])
        writer.execute("UPDATE patients_patient SET city = 'Leeds'")
        assert seal(sealer, patience=0).waiting == ["core_change"]
        writer.rollback()
        done = seal(sealer, patience=0)
        assert done.waiting == [] and done.blocks > 0


def test_two_at_once_do_not_seal_twice(world: World) -> None:
    clinic_id = world.riverside.clinic.pk
    with connected("hms_platform") as one, connected("hms_platform") as other:
        assert seal(one, clinic_id=clinic_id).blocks > 0  # not committed: the other finds the chain taken
        assert seal(other, clinic_id=clinic_id).blocks == 0
        one.rollback()
        assert seal(other, clinic_id=clinic_id).blocks > 0


def test_the_commands(seals_apart: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("seal_audit", "--anchor")
    assert "heads anchored" in capsys.readouterr().out and len(list(seals_apart.iterdir())) == 1
    call_command("verify_audit")
    call_command("verify_audit", clinic="riverside", since=datetime(2020, 1, 1, tzinfo=UTC))
    assert "0 rows are not sealed yet" in capsys.readouterr().out
    call_command("seal_audit", "--anchor")
    assert "0 heads anchored" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no clinic"):
        call_command("verify_audit", clinic="nowhere")
    (file,) = seals_apart.iterdir()
    file.write_text(file.read_text().replace('"hash":"', '"hash":"00'))
    with pytest.raises(CommandError, match="not as they were sealed"):
        call_command("verify_audit")
    assert "is not the one that was anchored" in capsys.readouterr().err
    file.write_text("{}")
    with pytest.raises(CommandError, match="line 1 is no anchor"):
        call_command("verify_audit")
