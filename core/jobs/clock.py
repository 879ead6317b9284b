"""What ticks beside the workers: follows the schedule and sweeps. Any number may run; what is due is begun once."""

import logging
import threading

from django.db import DatabaseError, InterfaceError, connections

from core.errors import DomainError
from core.jobs.schedule import tick
from core.jobs.sweeper import sweep

logger = logging.getLogger(__name__)

SWEEP_EVERY = 2.0  # seconds; also how late a job may begin that was to begin later
TICKS = 5  # sweeps between two looks at the schedule, whose finest step is a minute


def run(stop: threading.Event) -> None:
    """Tick until told to end. While the database is in trouble, it waits."""
    turn = 0
    while not stop.is_set():
        try:
            if turn % TICKS == 0:
                tick()
            sweep()
        except (DatabaseError, InterfaceError, DomainError) as error:
            logger.warning("Jobs wait: the database is in trouble (%s).", type(error).__name__)
            connections.close_all()
        except Exception:  # the process's own boundary: the next turn begins anew
            logger.exception("The clock failed; it begins anew.")
            connections.close_all()
        turn += 1
        stop.wait(SWEEP_EVERY)
