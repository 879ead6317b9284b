"""A command that fails leaves a fault behind, like a request. `manage.py` runs commands through here."""

from collections.abc import Sequence

from django.apps import apps
from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError


def run(arguments: Sequence[str]) -> None:
    """Run a command of `manage.py`. What it raises is noted, written down if the database can be reached, and raised on."""
    failure: Exception | None = None
    try:
        execute_from_command_line(list(arguments))
    except Exception as error:
        failure = error
        raise
    finally:
        if apps.ready:  # else HMS itself did not start: there is nothing to write with
            _write(failure)


def _write(error: Exception | None) -> None:
    """What it raised, and what it has logged; no statement when there is nothing."""
    from core.faults.collecting import collector
    from core.faults.noticing import surroundings
    from core.faults.writing import try_to_write

    if error is not None and not isinstance(error, (OperationalError, InterfaceError)):
        collector.note(error, surroundings())
    try_to_write()
