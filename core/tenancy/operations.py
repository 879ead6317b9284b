"""What a migration says to make a table safe to share between clinics."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState
from django.db.models import ForeignKey

from core.tenancy.announcements import DROP_SHARED_FUNCTIONS, SHARED_FUNCTIONS, Announcement, announcement_of
from core.tenancy.models import ClinicForeignKey

CLINIC = "clinic_id = NULLIF(current_setting('hms.clinic_id', true), '')::uuid"
PERSON = "user_id = NULLIF(current_setting('hms.user_id', true), '')::uuid"
SCOPES = {
    "clinic": f"USING ({CLINIC})",
    "person": f"USING ({PERSON})",
    "person_reads": f"FOR SELECT USING ({PERSON})",
    "clinic_adds": f"FOR INSERT WITH CHECK ({CLINIC})",
}


class RowLevelSecurity(Operation):
    """Only rows of the current clinic (or person) can be seen or written, by anyone but platform and maintenance.

    `scopes` names the policies: several are alternatives (a membership is the clinic's and the person's).
    """

    category = OperationCategory.ADDITION
    reduces_to_sql = True
    reversible = True

    def __init__(
        self, model_name: str, scopes: tuple[str, ...] = ("clinic",), deletable: bool = False, append_only: bool = False
    ) -> None:
        self.model_name = model_name
        self.scopes = tuple(scopes)
        self.deletable = deletable
        self.append_only = append_only

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The autodetector knows nothing of policies."""

    def database_forwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        for statement in self.statements(new.apps.get_model(app_label, self.model_name)):
            editor.execute(statement)

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        table = old.apps.get_model(app_label, self.model_name)._meta.db_table
        for scope in (*self.scopes, "platform"):
            editor.execute(f'DROP POLICY "{scope}" ON "{table}"')
        editor.execute(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY')

    def statements(self, model: Any) -> list[str]:
        table = model._meta.db_table
        made = [f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY']
        made += [f'CREATE POLICY "{scope}" ON "{table}" {SCOPES[scope]}' for scope in self.scopes]
        made.append(f'CREATE POLICY "platform" ON "{table}" TO hms_platform USING (true)')
        if not self.deletable:
            made.append(f'REVOKE DELETE ON "{table}" FROM hms_app, hms_platform')
        if self.append_only:
            made.append(f'REVOKE UPDATE ON "{table}" FROM hms_app, hms_platform')
        return made

    def describe(self) -> str:
        return f"Row-level security on {self.model_name}"


class ClinicReference(Operation):
    """Hold one ClinicForeignKey by a composite constraint, so that it can't point into another clinic."""

    category = OperationCategory.ADDITION
    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, name: str) -> None:
        self.model_name = model_name
        self.name = name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The autodetector knows nothing of composite constraints."""

    def database_forwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        model = new.apps.get_model(app_label, self.model_name)
        table = model._meta.db_table
        # Under FORCE the check of existing rows would see none of them and pass.
        editor.execute(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')
        editor.execute(reference_constraint(model._meta.get_field(self.name)))
        editor.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        model = old.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.name)
        editor.execute(f'ALTER TABLE "{model._meta.db_table}" DROP CONSTRAINT "{constraint_name(field)}"')

    def describe(self) -> str:
        return f"Composite reference {self.model_name}.{self.name}"


class ClinicTable(RowLevelSecurity):
    """Everything a new clinic table needs: `UNIQUE (clinic_id, id)`, composite references, row-level security.

    Rows of a clinical table are never deleted; `deletable=True` is for tables that hold no record of care,
    `append_only=True` for those whose rows are never changed either.
    """

    def statements(self, model: Any) -> list[str]:
        table = model._meta.db_table
        made = []
        if model._meta.pk.name == "id":
            made.append(f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_clinic_id_id" UNIQUE (clinic_id, id)')
        for field in model._meta.local_fields:
            if isinstance(field, ClinicForeignKey):
                made.append(reference_constraint(field))
        return made + super().statements(model)

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        super().database_backwards(app_label, editor, old, new)
        model = old.apps.get_model(app_label, self.model_name)
        table = model._meta.db_table
        for field in model._meta.local_fields:
            if isinstance(field, ClinicForeignKey):
                editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{constraint_name(field)}"')
        if model._meta.pk.name == "id":
            editor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{table}_clinic_id_id"')

    def describe(self) -> str:
        return f"Make {self.model_name} a clinic table"


class SharedAnnouncing(Operation):
    """What the triggers of all tables call. Stands once, in core's migrations, before the first `Announces`."""

    category = OperationCategory.ADDITION
    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The autodetector knows nothing of functions."""

    def database_forwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        editor.execute(SHARED_FUNCTIONS)

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        editor.execute(DROP_SHARED_FUNCTIONS)

    def describe(self) -> str:
        return "Functions that announce changes"


class Announces(Operation):
    """The triggers that announce a table's changes to caches; repeats what `@announces` says at the model.

    `Announces("patient", patient=["id"])`; a model of another app by its label. A later change of the declaration is one
    more `Announces` in a new migration: it replaces the function, and makes the triggers where there are none.
    """

    category = OperationCategory.ADDITION
    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, *, across_clinics: bool = False, only: Sequence[str] = (), **tags: list[str]) -> None:
        self.model_name = model_name
        self.across_clinics = across_clinics
        self.only = only
        self.tags = tags

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model_name], {"across_clinics": self.across_clinics, "only": self.only, **self.tags}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The autodetector knows nothing of triggers."""

    def database_forwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        model, announcement = self._announcement(app_label, new)
        editor.execute(announcement.function(model))
        for name, statement in announcement.triggers():
            editor.execute(f'DROP TRIGGER IF EXISTS "{name}" ON "{announcement.table}"')
            editor.execute(statement)

    def database_backwards(self, app_label: str, editor: BaseDatabaseSchemaEditor, old: ProjectState, new: ProjectState) -> None:
        _, announcement = self._announcement(app_label, old)
        for name, _ in announcement.triggers():
            editor.execute(f'DROP TRIGGER "{name}" ON "{announcement.table}"')
        editor.execute(f'DROP FUNCTION public."hms_announce_{announcement.table}"()')

    def _announcement(self, app_label: str, state: ProjectState) -> tuple[Any, Announcement]:
        label, _, name = self.model_name.rpartition(".")
        model = state.apps.get_model(label or app_label, name)
        return model, announcement_of(model, across_clinics=self.across_clinics, only=self.only, tags=dict(self.tags))

    def describe(self) -> str:
        return f"Announce changes of {self.model_name}"


def constraint_name(field: "ForeignKey[Any, Any]") -> str:
    return f"{field.model._meta.db_table}_{field.column}_same_clinic"[:63]


def reference_constraint(field: "ForeignKey[Any, Any]") -> str:
    table, target = field.model._meta.db_table, field.related_model._meta.db_table
    return (
        f'ALTER TABLE "{table}" ADD CONSTRAINT "{constraint_name(field)}" '
        f'FOREIGN KEY (clinic_id, "{field.column}") REFERENCES "{target}" (clinic_id, id) DEFERRABLE INITIALLY DEFERRED'
    )
