"""What a migration says so that a table's changes are kept."""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

from core.history.functions import DROP_SHARED, SHARED
from core.history.keeping import Kept, kept_of


class SharedHistory(Operation):
    """Who may touch history, and the functions that do. Stands once, in core's migrations, before the first `KeepsHistory`."""

    category = OperationCategory.ADDITION
    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The autodetector knows nothing of functions."""

    def database_forwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        editor.execute(SHARED)

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        editor.execute(DROP_SHARED)

    def describe(self) -> str:
        return "Functions that keep history"


class KeepsHistory(Operation):
    """The triggers that keep a table's changes; repeats what `@keeps_history` says at the model.

    A later change of the declaration is one more `KeepsHistory` in a new migration: it replaces the triggers.
    """

    category = OperationCategory.ADDITION
    reduces_to_sql = True
    reversible = True

    def __init__(
        self, model_name: str, *, clinic: str | None = None, secret: tuple[str, ...] = (), without: tuple[str, ...] = ()
    ) -> None:
        self.model_name = model_name
        self.given: dict[str, Any] = {"clinic": clinic, "secret": secret, "without": without}

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model_name], self.given

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The autodetector knows nothing of triggers."""

    def database_forwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        kept = self._kept(app_label, new)
        for name, statement in kept.triggers():
            editor.execute(f'DROP TRIGGER IF EXISTS "{name}" ON "{kept.table}"')
            editor.execute(statement)

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        kept = self._kept(app_label, old)
        for name, _ in kept.triggers():
            editor.execute(f'DROP TRIGGER "{name}" ON "{kept.table}"')

    def _kept(self, app_label: str, state: ProjectState) -> Kept:
        return kept_of(state.apps.get_model(app_label, self.model_name), **self.given)

    def describe(self) -> str:
        return f"Keep the history of {self.model_name}"
