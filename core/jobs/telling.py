"""Whoever began a job that is theirs to wait for is told by the bell how it ended."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from core.jobs.kinds import UnknownKind, kind_of
from core.jobs.models import State
from core.notifications.writing import notify

TOLD = {State.SUCCEEDED: "job_done", State.FAILED: "job_failed", State.DEAD: "job_failed"}


class Ended(NamedTuple):
    """A job that somebody began, and the state in which its attempt left it."""

    id: UUID
    kind: str
    clinic_id: UUID | None
    began_by: UUID | None
    state: str


def tell_who_began(jobs: Iterable[Ended]) -> None:
    """In the transaction that closes them, in the person's scope or in the clinic's. One statement for each job that is over and of
    a kind with a label, none for others: what goes along with people's work by itself is nobody's to hear of."""
    for one in jobs:
        if one.began_by is not None and one.clinic_id is not None and (kind := TOLD.get(State(one.state))) and _has_label(one.kind):
            notify([one.began_by], kind, clinic=one.clinic_id, about=one.id, details={"kind": one.kind})


def _has_label(kind: str) -> bool:
    try:
        return bool(kind_of(kind).label)
    except UnknownKind:
        return False
