"""Which tables keep their history: said once at the model, kept in the database by triggers, whoever writes and however.

One function serves all tables. It runs as the owner, because nobody else may write history: hms_app can't make a row up.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, UUIDField

VERBS = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}


@dataclass(frozen=True)
class Kept:
    """What is kept of one table. `clinic`: the column that names the clinic, "" for a table of nobody's.

    Of `secret` columns only that they changed, `without` ones are left out, `inner` ones are kept but not shown to people.
    """

    table: str
    clinic: str
    secret: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    def triggers(self) -> list[tuple[str, str]]:
        """Name and CREATE TRIGGER of each."""
        nulls = json.dumps(dict.fromkeys(self.secret))
        given = ", ".join(f"'{one}'" for one in (self.clinic, nulls, ",".join(self.without)))
        return [
            (
                f"hms_history_{verb.lower()}",
                f'CREATE TRIGGER "hms_history_{verb.lower()}" AFTER {verb} ON "{self.table}" REFERENCING {rows} '
                f"FOR EACH STATEMENT EXECUTE FUNCTION public.hms_keep_history({given})",
            )
            for verb, rows in VERBS.items()
        ]


_kept: dict[str, Kept] = {}
_models: dict[str, type[Model]] = {}


def keeps_history[M: type[Model]](
    *, clinic: str | None = None, secret: Sequence[str] = (), without: Sequence[str] = (), inner: Sequence[str] = ()
) -> Callable[[M], M]:
    """Declare that every change of a model's rows is kept. Its migration repeats it: `KeepsHistory("model", ...)`.

    `clinic` is found by itself where there is a `clinic_id`.
    """

    def declare(model: M) -> M:
        kept = kept_of(model, clinic=clinic, secret=secret, without=without, inner=inner)
        _kept[kept.table], _models[kept.table] = kept, model
        return model

    return declare


def kept_of(
    model: Any, *, clinic: str | None = None, secret: Sequence[str] = (), without: Sequence[str] = (), inner: Sequence[str] = ()
) -> Kept:
    columns = {one.column: one for one in model._meta.local_concrete_fields}
    if not isinstance(columns.get("id"), UUIDField):
        raise TypeError(f"{model._meta.label} has no UUID named id, by which its history could be found.")
    if unknown := {*secret, *without, *inner} - columns.keys():
        raise ValueError(f"{model._meta.label} has no such column: {', '.join(sorted(unknown))}.")
    if clinic is None:
        clinic = "clinic_id" if "clinic_id" in columns else ""
    return Kept(model._meta.db_table, clinic, tuple(secret), tuple(without), tuple(inner))


def kept_for(table: str) -> Kept | None:
    """What is kept of the table, or None."""
    return _kept.get(table)


def model_of(table: str) -> type[Model] | None:
    """The model whose history is kept under this table's name, or None for one that is gone."""
    return _models.get(table)
