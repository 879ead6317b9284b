"""The access log lies in tables of a month each: made ahead, and dropped whole when they are old enough."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from django.conf import settings
from psycopg import sql

TABLES = ("core_accessevent", "core_accessedpatient")
AHEAD = 3  # months; what comes without one lies in the default partition until `manage.py maintain` moves it

EXISTING = """
SELECT right(c.relname, 6) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'core_accessevent'::regclass AND c.relname ~ '_[0-9]{6}$'
"""
# As the tables' owner, whoever calls: only the owner attaches and drops. Rows that came early are moved out of the default.
MAKE = """
CREATE FUNCTION public.hms_make_access_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    begins timestamptz := month::timestamp AT TIME ZONE 'UTC';
    ends timestamptz := (month + interval '1 month')::timestamp AT TIME ZONE 'UTC';
    log text;
    part text;
BEGIN
    FOREACH log IN ARRAY ARRAY['core_accessevent', 'core_accessedpatient'] LOOP
        part := log || '_' || to_char(month, 'YYYYMM');
        CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', part, log);
        EXECUTE format('REVOKE ALL ON public.%I FROM hms_app, hms_platform', part);
        EXECUTE format('WITH early AS (DELETE FROM public.%I WHERE at >= $1 AND at < $2 RETURNING *) '
            'INSERT INTO public.%I SELECT * FROM early', log || '_default', part) USING begins, ends;
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', log, part, begins, ends);
    END LOOP;
END
$body$
"""
DROP = """
CREATE FUNCTION public.hms_drop_access_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
    log text;
BEGIN
    FOREACH log IN ARRAY ARRAY['core_accessevent', 'core_accessedpatient'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS public.%I', log || '_' || to_char(month, 'YYYYMM'));
    END LOOP;
END
$body$
"""
FUNCTIONS = ("hms_make_access_month(date)", "hms_drop_access_month(date)")


def due_partitions(connection: psycopg.Connection[Any], today: date | None = None) -> Iterator[tuple[sql.Composed, str, str]]:
    """Statement, words and reason for each month that is missing or old. One query."""
    today = today or datetime.now(UTC).date()
    there = {text for (text,) in connection.execute(EXISTING).fetchall()}
    for ahead in range(AHEAD + 1):
        month = _month(today, ahead)
        if f"{month:%Y%m}" not in there:
            yield _call("hms_make_access_month", month), f"access log of {month:%Y-%m}", "a month that comes"
    oldest = oldest_kept(today)
    for text in sorted(there):
        if (month := date(int(text[:4]), int(text[4:]), 1)) < oldest:
            words = f"access log of {month:%Y-%m} dropped"
            yield _call("hms_drop_access_month", month), words, f"older than {settings.HMS_ACCESS_LOG_YEARS} years"


def oldest_kept(today: date | None = None) -> date:
    """The first day of the oldest month that is not dropped yet."""
    return _month(today or datetime.now(UTC).date(), -12 * settings.HMS_ACCESS_LOG_YEARS)


def _call(function: str, month: date) -> sql.Composed:
    return sql.SQL("SELECT {}({}::date)").format(sql.Identifier(function), sql.Literal(month.isoformat()))


def _month(day: date, later: int) -> date:
    """The first day of the month that is so many months later."""
    count = day.year * 12 + day.month - 1 + later
    return date(count // 12, count % 12 + 1, 1)
