"""What a migration says so that events are numbered, and so that what services did not announce is announced all the same."""

from collections.abc import Mapping
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

from core.events.numbering import DROP_NUMBERING, LIVE_FUNCTION, LIVE_TRIGGER, MANY, NUMBERING


class NumbersEvents(Operation):
    """Events get their positions as they are committed. Stands once, in core's migrations, before the first `LiveTable`."""

    category = OperationCategory.ADDITION
    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The autodetector knows nothing of triggers."""

    def database_forwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        editor.execute(NUMBERING)

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        editor.execute(DROP_NUMBERING)

    def describe(self) -> str:
        return "Number events as they are committed"


class LiveTable(Operation):
    """Changes of the table that no service announced become an event all the same: raw SQL, bulk statements, the administration.

    `LiveTable("ticket", event="ticket.changed", fields={"ticket": "id", "location": "location_id"})`; `fields` names a column for
    every field of the event, `before` those that tell what a column held before, where that was something else. The event is
    written at the commit, unless the transaction has announced any about this row. Of a transaction that changed more than a
    hundred such rows one event without ids tells the rest. A later `LiveTable` of the same model replaces the function.
    """

    category = OperationCategory.ADDITION
    reduces_to_sql = True
    reversible = True

    def __init__(
        self, model_name: str, *, event: str, fields: Mapping[str, str], before: Mapping[str, str] | None = None, version: int = 1
    ) -> None:
        self.model_name = model_name
        self.event = event
        self.fields = dict(fields)
        self.before = dict(before or {})
        self.version = version

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        said = {"event": self.event, "fields": self.fields, "before": self.before, "version": self.version}
        return type(self).__name__, [self.model_name], said

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The autodetector knows nothing of triggers."""

    def database_forwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        table = new.apps.get_model(app_label, self.model_name)._meta.db_table
        editor.execute(self.function(table))
        editor.execute(f'DROP TRIGGER IF EXISTS "hms_live" ON "{table}"')
        editor.execute(LIVE_TRIGGER.format(table=table))

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        table = old.apps.get_model(app_label, self.model_name)._meta.db_table
        editor.execute(f'DROP TRIGGER "hms_live" ON "{table}"')
        editor.execute(f'DROP FUNCTION public."hms_live_{table}"()')

    def function(self, table: str) -> str:
        """CREATE OR REPLACE FUNCTION, complete."""
        row = [f"'{name}', r.\"{column}\"" for name, column in self.fields.items()]
        row += [f"'{name}', CASE WHEN was.\"{column}\" <> r.\"{column}\" THEN was.\"{column}\" END"
                for name, column in self.before.items()]  # fmt: skip
        return LIVE_FUNCTION.format(
            table=table,
            about=self.event.partition(".")[0],
            name=self.event,
            version=self.version,
            many=MANY,
            row=", ".join(row),
            nothing=", ".join(f"'{name}', NULL" for name in (*self.fields, *self.before)),
        )

    def describe(self) -> str:
        return f"Announce changes of {self.model_name} that nobody announced"
