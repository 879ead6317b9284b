"""No table that everybody's requests fill grows without end."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone
from psycopg import sql

from core.database.retention import Kept, _kept, kept_tables, outdated
from tests.architecture.catalogue import add_row, any_rows

# Why rows of these stay until somebody deletes them.
STAYS = {
    "core_secondfactor": "a person's own, removed by them or by an operator",
    "core_clinic": "made by operators",
    "core_user": "made by administrators; history names people by it",
    "core_apikey": "made by administrators, ended and never removed; history names other systems by it",
    "core_membership": "made by administrators",
    "auth_group": "unused: rights come from the permission matrix",
    "auth_group_permissions": "unused: rights come from the permission matrix",
    "auth_permission": "grows with the models alone",
    "django_content_type": "grows with the models alone",
    "django_admin_log": "what administrators did is kept as evidence",
    "core_externalsystem": "made by administrators",
    "core_alertrule": "made with the tables and by operators; alerts point at them",
    "core_schedulemark": "one row for each entry of the schedule and zone",
    "hms_demostate": "one row",
}


def test_every_table_outside_the_clinics_is_kept_for_a_time_or_for_a_reason(world: Any) -> None:
    models = [one for one in apps.get_models(include_auto_created=True) if one._meta.managed and not one._meta.proxy]
    of_clinics = {one._meta.db_table for one in models if getattr(one, "table_kind", "") == "clinic"}
    tables = {one._meta.db_table for one in models} - of_clinics
    assert (kept_tables() - of_clinics) | STAYS.keys() == tables
    assert kept_tables() & STAYS.keys() == set()


@pytest.mark.parametrize("kept", _kept, ids=lambda one: one.table)
def test_what_is_too_old_is_deleted_and_nothing_else(world: Any, kept: Kept) -> None:
    table = sql.Identifier(kept.table)
    with any_rows() as connection:
        connection.execute(sql.SQL("DELETE FROM {}").format(table))
        for minutes in (-1, 1):
            add_row(connection, kept.table, **{kept.column: timezone.now() - kept.age() + timedelta(minutes=minutes)})
        connection.execute("SET LOCAL ROLE hms_maintenance")
        (statement,) = [statement for statement, words, _ in outdated(connection) if words.endswith(f" {kept.table}")]
        connection.execute(statement)
        (left,) = connection.execute(sql.SQL("SELECT {} FROM {}").format(sql.Identifier(kept.column), table)).fetchall()
    assert left[0] > timezone.now() - kept.age()
