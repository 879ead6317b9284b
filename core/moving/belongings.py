"""What belongs to a clinic: every table of its kind by enumeration, and for each other table why it comes along or stays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from django.apps import apps
from django.db.models import ForeignKey, Model
from psycopg import sql

from core.history.functions import DIGEST

CLINIC, USER = "core_clinic", "core_user"
# Of no clinic's kind, and come along all the same: the clinic itself, who works there, and whoever its rows name.
COME = {CLINIC: "id", "core_membership": "clinic_id", USER: ""}
STAY = {
    "core_seal": "seals are made under the installation's key over numbers that are its own; the next one seals anew",
    "core_apikey": "other systems get new keys from the new installation",
    "core_authsession": "everybody signs in anew",
    "core_secondfactor": "they are the person's and bound to the installation's address and key: set up anew at the first sign-in",
    "core_draft": "unfinished, and under the installation's key",
    "core_notification": "what was told has been told",
    "core_idempotencyrecord": "answers of the installation, for a day",
    "core_onetimecode": "for minutes",
    "core_signinthrottle": "of the installation's door",
    "core_ratecounter": "of the installation's door",
    "core_addressstanding": "of the installation's door",
    "core_addressblock": "of the installation's door",
    "core_securityevent": "of the installation's door",
    "core_job": "the installation's own work; the new one's schedule has its own",
    "core_schedulemark": "the installation's own work",
    "core_outgoingmessage": "what was not sent yet is sent by the installation that posted it",
    "core_externalsystem": "the installation's own",
    "core_backuprun": "the installation's own",
    "core_fault": "the installation's own",
    "core_alert": "the installation's own",
    "core_alertrule": "the installation's own",
    "core_metricsample": "the installation's own",
    "core_workerprocess": "the installation's own",
    "hms_demostate": "the installation's own",
}
# Columns that can't be what they were: numbers of the old server's transactions and sequences, and what would reach outside.
XID: LiteralString = "pg_current_xact_id()::text::bigint"
REWRITTEN: dict[str, dict[str, LiteralString]] = {
    "core_change": {
        "id": "nextval(pg_get_serial_sequence('core_change', 'id'))",
        "xid": XID,
        "digest": f"CASE WHEN r.salt IS NULL THEN r.digest ELSE {DIGEST.format(row='r')} END",
    },
    "core_accessevent": {"seq": "nextval('core_accessevent_seq_seq')"},
    "core_accessedpatient": {"seq": "nextval('core_accessedpatient_seq_seq')"},
    "core_domainevent": {
        "xid": XID,
        "seq": "nextval('core_domainevent_seq_seq')",
        "position": "nextval('core_domainevent_position_seq')",
    },
    "core_webhookendpoint": {"after_position": "0", "is_active": "false"},
    "core_datasync": {"after_position": "NULL", "is_active": "false", "run": "NULL", "run_after": "NULL", "run_upto": "0"},
    "core_clinickey": {"wrapped": "r.wrapped"},  # under the key ring of the installation that it comes to
    USER: {
        "platform_role": "''",
        "is_active": "r.is_active AND r.platform_role = ''",
        "password": "CASE WHEN r.platform_role = '' THEN r.password ELSE '!' END",
    },
}
ORDERED = {"core_change": "id", "core_accessevent": "seq", "core_accessedpatient": "seq", "core_domainevent": "position"}
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


@dataclass(frozen=True, slots=True)
class Belonging:
    """A table of which a clinic's rows come along. `columns` in the table's order."""

    table: str
    columns: tuple[str, ...]
    whose: sql.Composable = field(repr=False)  # the condition for the clinic's rows

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(self.table)

    @property
    def kept(self) -> list[str]:
        """The columns that are afterwards what they were."""
        return [one for one in self.columns if one not in REWRITTEN.get(self.table, {})]

    def rows(self, columns: Sequence[str]) -> sql.Composed:
        return sql.SQL("(SELECT {} FROM {} WHERE {})").format(listed(columns), self.name, self.whose)


def listed(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def models_that_come() -> list[type[Model]]:
    """Each after those that its rows refer to. Raises graphlib.CycleError."""
    coming = {model for model in apps.get_models() if _comes(model)}
    order = TopologicalSorter({model: {other for other in _referred(model) if other in coming} - {model} for model in coming})
    return list(order.static_order())


def belongings(connection: psycopg.Connection[Any], clinic_id: UUID) -> list[Belonging]:
    """In an order in which they can be written. One query a table."""
    models = models_that_come()
    found = []
    for model in models:
        table = model._meta.db_table
        columns = tuple(name for (name,) in connection.execute(COLUMNS, [table]).fetchall())
        found.append(Belonging(table, columns, _whose(table, models, clinic_id)))
    return found


def _comes(model: type[Model]) -> bool:
    table = model._meta.db_table
    return table in COME or (getattr(model, "table_kind", "") == "clinic" and table not in STAY)


def _whose(table: str, models: list[type[Model]], clinic_id: UUID) -> sql.Composable:
    if table == USER:
        select = sql.SQL("SELECT {} FROM {} WHERE clinic_id = {}")
        named = [
            select.format(sql.Identifier(column), sql.Identifier(other), sql.Literal(clinic_id))
            for other, column in references_to_users(models)
        ]
        return sql.SQL("id IN ({})").format(sql.SQL(" UNION ").join(named))
    return sql.SQL("{} = {}").format(sql.Identifier(COME.get(table, "clinic_id")), sql.Literal(clinic_id))


def references_to_users(models: list[type[Model]]) -> Iterator[tuple[str, str]]:
    """Table and column."""
    for model in models:
        for one in model._meta.local_concrete_fields:
            if isinstance(one, ForeignKey) and one.related_model._meta.db_table == USER:
                yield model._meta.db_table, one.column


def _referred(model: type[Model]) -> Iterator[Any]:
    return (one.related_model for one in model._meta.local_concrete_fields if isinstance(one, ForeignKey))
