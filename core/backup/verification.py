"""Is a restored database as it was when it was backed up? Rows, what protects them, constraints, the audit trail's seals."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.apps import apps
from django.conf import settings

from core.backup import inventory
from core.backup.packing import Manifest, TableState
from core.backup.scratch import connected
from core.history.anchors import Anchor, read_anchors
from core.history.verification import Verified, verify

type Anchors = dict[tuple[UUID | None, str], dict[int, Anchor]]
SECURED = ("clinic", "personal")  # kinds of tables


def findings_in(database: str, manifest: Manifest) -> Iterator[str]:
    """A sentence for whatever differs; none when all is as it was. Reads every row twice. No value of a row is in a sentence."""
    with connected("hms_maintenance", database) as connection, connection.transaction():
        yield from _of_tables(dict(inventory.tables_of(connection)), manifest.tables)
        yield from _of_sequences(inventory.sequences_of(connection), manifest.sequences)
        for name in sorted(set(inventory.unvalidated_in(connection)) - set(manifest.unvalidated)):
            yield f"{name} is not valid."
        if (count := inventory.migrations_in(connection)) != manifest.migrations:
            yield f"There are {count} migrations, {manifest.migrations} were backed up."
    with connected("hms_platform", database) as connection:
        yield from _of_seals(connection, datetime.fromisoformat(manifest.taken_at))


def _of_tables(found: Mapping[str, TableState], wanted: Mapping[str, TableState]) -> Iterator[str]:
    for name in sorted(found.keys() | wanted.keys()):
        there, was = found.get(name), wanted.get(name)
        if there is None or was is None:
            yield f"{name}: the table is missing." if there is None else f"{name}: the table wasn't backed up."
            continue
        if there.rows != was.rows:
            yield f"{name}: {there.rows} rows, {was.rows} were backed up."
        elif there.sum != was.sum:
            yield f"{name}: its {there.rows} rows are not the ones that were backed up."
        if (there.secured, there.forced, there.policies) != (was.secured, was.forced, was.policies):
            yield f"{name}: row-level security is not as it was."
        if there.triggers != was.triggers:
            yield f"{name}: {there.triggers} triggers, {was.triggers} were backed up."
    for name in sorted(_to_be_secured() & found.keys()):
        if not (found[name].secured and found[name].forced):
            yield f"{name}: row-level security is off."


def _of_sequences(found: Mapping[str, int], wanted: Mapping[str, int]) -> Iterator[str]:
    """They may be ahead: the dump reads them later than the snapshot."""
    for name, last in sorted(wanted.items()):
        if found.get(name, -1) < last:
            yield f"{name}: the sequence is behind what was backed up."


def _of_seals(connection: psycopg.Connection[Any], taken_at: datetime) -> Iterator[str]:
    """Anchors from after the backup name blocks that it can't hold."""
    anchors: Anchors = {}
    for chain, own in read_anchors(settings.HMS_AUDIT_ANCHORS_DIR).items():
        if known := {number: one for number, one in own.items() if datetime.fromisoformat(one.at) <= taken_at}:
            anchors[chain] = known
    for finding in verify(connection, Verified(), anchors=anchors):
        yield f"Not as it was sealed: {finding}"


def _to_be_secured() -> set[str]:
    """The tables that this HMS wants secured."""
    return {model._meta.db_table for model in apps.get_models() if getattr(model, "table_kind", None) in SECURED}
