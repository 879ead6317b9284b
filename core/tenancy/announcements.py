"""Which tags a change of a table touches: said once at the model, derived in the database by triggers.

A statement that changes a table announces, for old and new rows, the table's list tag (`<table>:<clinic>`, or `<table>`
where there is no clinic) and the fine tags its model declares. A statement that changes more than MANY rows, or a
transaction that has announced a great deal, names one bulk tag in place of the fine ones.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import DateField, DateTimeField, Model

CHANNEL = "hms_cache"
EVERYTHING = "*"  # the tag that stands for all others: TRUNCATE, and `manage.py clear_cache`
MANY = 100  # rows in one statement, from which on it announces one bulk tag in place of fine ones
TOO_LONG = 8000  # characters announced by one transaction, from which on likewise
CALL = re.compile(r"(sha256|days)\((\w+)(?:, ?(\w+))?\)")


@dataclass(frozen=True)
class Announcement:
    """What one table announces. `tags`: name -> columns, each a column's name, `sha256(column)` or `days(from, to)`.

    `sha256` is for secrets; `days` makes one tag for every UTC day from one instant to another. A first column `clinic_id`
    is filled by the reader's scope. `across_clinics`: the fine tags are read without knowing the clinic. `only`: an UPDATE that
    leaves these columns as they are announces nothing, so nothing else of the table may be cached.
    """

    table: str
    clinic: bool
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    across_clinics: bool = False
    only: tuple[str, ...] = ()

    @property
    def bulk_has_clinic(self) -> bool:
        return self.clinic and not self.across_clinics

    def function(self, model: Any) -> str:
        """The trigger function, complete: CREATE OR REPLACE. One for INSERT, UPDATE and DELETE."""
        return FUNCTION.format(
            table=self.table,
            insert=self._collect("new_rows", model),
            delete=self._collect("old_rows", model),
            update=self._collect(self._changed(), model),
        )

    def _changed(self) -> str:
        """The old and the new rows of an UPDATE, of those that count."""
        if not self.only:
            return "(TABLE old_rows UNION ALL TABLE new_rows)"
        old, new = (", ".join(f"{side}.{column}" for column in self.only) for side in ("o", "n"))
        differing = f"SELECT o.id FROM old_rows o JOIN new_rows n ON n.id = o.id WHERE ({old}) IS DISTINCT FROM ({new})"
        return f"(SELECT b.* FROM (TABLE old_rows UNION ALL TABLE new_rows) b WHERE b.id IN ({differing}))"

    def triggers(self) -> list[tuple[str, str]]:
        """Name and CREATE TRIGGER of each."""
        made = [
            (verb, f"REFERENCING {rows}", f'"hms_announce_{self.table}"')
            for verb, rows in (
                ("INSERT", "NEW TABLE AS new_rows"),
                ("UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
                ("DELETE", "OLD TABLE AS old_rows"),
            )
        ]
        made.append(("TRUNCATE", "", "hms_announce_everything"))
        return [
            (
                f"hms_announce_{verb.lower()}",
                f'CREATE TRIGGER "hms_announce_{verb.lower()}" AFTER {verb} ON "{self.table}" {rows} '
                f"FOR EACH STATEMENT EXECUTE FUNCTION public.{function}()",
            )
            for verb, rows, function in made
        ]

    def _collect(self, rows: str, model: Any) -> str:
        listed = f"'{self.table}:' || r.clinic_id::text" if self.clinic else f"'{self.table}'"
        if not self.tags:
            return f"SELECT array_agg(DISTINCT {listed}) INTO tags FROM {rows} r;"
        bulk = f"'{self.table}:' || r.clinic_id::text || ':*'" if self.bulk_has_clinic else f"'{self.table}:*'"
        fine = " || ".join(self._fine(name, columns, model) for name, columns in self.tags.items())
        return COLLECT.format(rows=rows, listed=listed, bulk=bulk, fine=fine, many=MANY, too_long=TOO_LONG)

    def _fine(self, name: str, columns: tuple[str, ...], model: Any) -> str:
        """An SQL expression of type text[]: the tags of this name for the row `r`."""
        parts = [f"'{name}'"]
        for column in columns:
            call = CALL.fullmatch(column)
            if call and call[1] == "days":
                start, end = (f"(r.{edge} AT TIME ZONE 'UTC')::date" for edge in (call[2], call[3]))
                text = " || ':' || ".join([*parts, "to_char(d, 'YYYY-MM-DD')"])
                return f"ARRAY(SELECT {text} FROM generate_series({start}, {end}, interval '1 day') d)"
            if call:
                parts.append(f"encode(sha256(convert_to(r.{call[2]}, 'UTF8')), 'hex')")
            else:
                parts.append(_text(column, model))
        text = " || ':' || ".join(parts)
        return f"ARRAY[{text}]"


def _text(column: str, model: Any) -> str:
    fields = {one.column: one for one in model._meta.local_concrete_fields}
    one = fields[column]
    if isinstance(one, DateField) and not isinstance(one, DateTimeField):
        return f"to_char(r.{column}, 'YYYY-MM-DD')"
    return f"r.{column}::text"


FUNCTION = """
CREATE OR REPLACE FUNCTION public."hms_announce_{table}"() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    tags text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        {insert}
    ELSIF TG_OP = 'DELETE' THEN
        {delete}
    ELSE
        {update}
    END IF;
    PERFORM public.hms_announce(tags);
    RETURN NULL;
END
$body$
"""
COLLECT = """IF length(current_setting('hms.touched', true)) > {too_long}
            OR (SELECT count(*) FROM (SELECT FROM {rows} x LIMIT {many} * 2 + 1) y) > {many} * (1 + (TG_OP = 'UPDATE')::int) THEN
            SELECT array_agg(DISTINCT t) INTO tags FROM {rows} r CROSS JOIN LATERAL unnest(ARRAY[{listed}, {bulk}]) t;
        ELSE
            SELECT array_agg(DISTINCT t) INTO tags
            FROM {rows} r CROSS JOIN LATERAL unnest(ARRAY[{listed}] || {fine}) t;
            IF cardinality(tags) > {many} * 5 THEN
                SELECT array_agg(DISTINCT t) INTO tags FROM {rows} r CROSS JOIN LATERAL unnest(ARRAY[{listed}, {bulk}]) t;
            END IF;
        END IF;"""

# Remembers the tags for the writer, who reads them before COMMIT, and tells everybody else when it has committed.
# The first line of a notice is the unit's mark, or the transaction's number and time where there is no unit (psql).
SHARED_FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION public.hms_announce(tags text[]) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    touched text := coalesce(nullif(current_setting('hms.touched', true), ''), chr(10));
    mark text := coalesce(
        nullif(current_setting('hms.unit', true), ''),
        pg_current_xact_id()::text || '.' || extract(epoch FROM transaction_timestamp())::text);
    notice text := '';
    tag text;
BEGIN
    IF tags IS NULL THEN
        RETURN;
    END IF;
    FOREACH tag IN ARRAY tags LOOP
        IF tag IS NULL OR strpos(touched, chr(10) || tag || chr(10)) > 0 THEN
            CONTINUE;
        END IF;
        touched := touched || tag || chr(10);
        IF octet_length(notice) + octet_length(tag) > 7000 THEN
            PERFORM pg_notify('{CHANNEL}', mark || notice);
            notice := '';
        END IF;
        notice := notice || chr(10) || tag;
    END LOOP;
    IF notice <> '' THEN
        PERFORM set_config('hms.touched', touched, true);
        PERFORM pg_notify('{CHANNEL}', mark || notice);
    END IF;
END
$body$;
CREATE OR REPLACE FUNCTION public.hms_announce_everything() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM public.hms_announce(ARRAY['{EVERYTHING}']);
    RETURN NULL;
END
$body$;
"""
DROP_SHARED_FUNCTIONS = "DROP FUNCTION public.hms_announce_everything(); DROP FUNCTION public.hms_announce(text[])"

_announced: dict[str, Announcement] = {}
_table_by_tag: dict[str, str] = {}
_leaders: dict[str, str] = {}


def announces[M: type[Model]](*, across_clinics: bool = False, only: Sequence[str] = (), **tags: Sequence[str]) -> Callable[[M], M]:
    """Declare on a model which tags its changes touch. Its migration repeats it: `Announces("model", ...)`."""

    def declare(model: M) -> M:
        announcement = announcement_of(model, across_clinics=across_clinics, only=only, tags=tags)
        for name in announcement.tags:
            if (other := _table_by_tag.setdefault(name, announcement.table)) != announcement.table:
                raise ValueError(f"Two tables announce tags named {name}: {other} and {announcement.table}.")
        _announced[announcement.table] = announcement
        return model

    return declare


def announcement_of(model: Any, *, across_clinics: bool, tags: dict[str, Sequence[str]], only: Sequence[str] = ()) -> Announcement:
    clinic = any(one.column == "clinic_id" for one in model._meta.local_concrete_fields)
    fine = {name: tuple(columns) for name, columns in tags.items()}
    return Announcement(model._meta.db_table, clinic, fine, across_clinics, tuple(only))


def announcement_for(table: str) -> Announcement | None:
    """What the table announces, or None if nothing of it may ever be cached."""
    return _announced.get(table)


def announcement_by_tag(name: str) -> Announcement:
    """The table whose changes touch fine tags of this name. Raises KeyError."""
    return _announced[_table_by_tag[name]]


def follows[M: type[Model]](leader: type[Model]) -> Callable[[M], M]:
    """Declare that a table's rows change only together with `leader`'s, so that the leader's tags cover it."""

    def declare(model: M) -> M:
        _leaders[model._meta.db_table] = leader._meta.db_table
        return model

    return declare


def covering(table: str) -> set[str]:
    """The tables whose tags stand for changes of this one."""
    return {table, _leaders.get(table, table)} & _announced.keys()
