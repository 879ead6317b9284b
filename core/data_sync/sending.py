"""Sends a clinic's changes page by page. A page that was taken is noted before the next one is made, so whoever goes on after a
crash begins behind it; one whose taking was not noted is sent again under the same key."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from core.api.answers import as_json
from core.audit.events import AccessRecord, stored
from core.audit.subjects import Shown, collecting
from core.data_sync.feeds import Entry, Span, feed_names, feed_of
from core.data_sync.models import NOTHING_UNDER_WAY, DataSync
from core.events.models import newest_position
from core.outbound.errors import OutboundTrouble
from core.outbound.signing import HEADER, signature
from core.tenancy.context import clinic_scope
from core.tenancy.ids import new_id
from core.tenancy.models import Clinic

logger = logging.getLogger(__name__)

ROWS = 200  # of one page: some 300 kB
GONE = 410
ROUTE = "data-sync"
END = "end"
REASON = "data sync"


class SyncFailed(Exception):
    """The receiver didn't take a page; a later try goes on with it."""


class SwitchedOff(Exception):
    """The receiver wants no more."""


@dataclass(frozen=True, slots=True)
class Page:
    """One request of an export, and what is noted when it was taken. `is_end`: the last one, which holds no rows."""

    sync: DataSync
    number: int
    body: bytes
    rows: int
    feed: str
    after: UUID | None
    is_end: bool

    @property
    def key(self) -> str:
        return f"{self.sync.run}-{self.number}"


def send_changes(clinic_id: UUID, *, say: Callable[[int], None], until: Callable[[], bool]) -> bool:
    """Send what has changed since the last export that came to its end, or go on with one that didn't. False: `until` said yes
    before it was at its end. Outside of a scope.

    `say` is told the rows that were taken. Some six statements for each 200 rows. Raises SyncFailed, SwitchedOff. Two at once do no
    harm: who finds a page noted already goes on behind it.
    """
    rows, here_since = 0, timezone.now()
    while not until():
        page = _next_page(clinic_id)
        if page is None:
            return True
        _post(page)
        rows += page.rows
        say(rows)
        if _note(page) and page.is_end and page.sync.run_began is not None and page.sync.run_began >= here_since:
            return True  # the end of one that had been cut off is followed by what has changed since
    return False


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _next_page(clinic_id: UUID) -> Page | None:
    """The next page, in the access log already: what leaves was shown, whatever becomes of it. None without a receiver."""
    with clinic_scope(clinic_id, reason=REASON), collecting() as shown:
        sync = DataSync.objects.select_for_update().filter(is_active=True).first()
        if sync is None:
            return None
        _begin_unless_begun(sync)
        page = _made(sync, Clinic.objects.get(pk=clinic_id))
        _log(sync, shown)
        return page


def _begin_unless_begun(sync: DataSync) -> None:
    """A new export, of everything if the events since the last one are kept no more. Two statements, none if one is under way."""
    now, kept = timezone.now(), timedelta(days=settings.HMS_EVENT_DAYS - 1)
    is_late = sync.run is not None and not sync.run_full and (sync.run_began is None or sync.run_began < now - kept)
    if sync.run is not None and not is_late:
        return
    newest = newest_position()
    known = sync.after_position if sync.last_success_at and sync.last_success_at >= now - kept else None
    sync.run, sync.run_began, sync.run_upto = new_id(), now, newest
    sync.run_full = is_late or known is None or known > newest  # its events are gone: a database that was loaded
    sync.run_feed, sync.run_after, sync.run_pages, sync.run_rows = feed_names()[0], None, 0, 0
    DataSync.objects.filter(pk=sync.pk).update(**{name: getattr(sync, name) for name in NOTHING_UNDER_WAY})


def _made(sync: DataSync, clinic: Clinic) -> Page:
    """The rows behind the ones that were taken, of the first kind that has some; without any the end."""
    span = None if sync.run_full or sync.after_position is None else Span(sync.after_position, sync.run_upto)
    after = sync.run_after
    names = feed_names()
    for name in names[names.index(sync.run_feed) :]:
        feed = feed_of(name)
        if ids := feed.ids(span, after, ROWS):
            return _page(sync, name, feed.entries(ids, clinic), ids[-1])
        after = None
    return _page(sync, END, [], None)


def _page(sync: DataSync, kind: str, entries: Iterable[Entry], after: UUID | None) -> Page:
    sent = [entry.as_sent() for entry in entries]
    said: dict[str, Any] = {
        "clinic": sync.clinic_id,
        "export": sync.run,
        "mode": "full" if sync.run_full else "changes",
        "page": sync.run_pages + 1,
        "kind": kind,
        "rows": sent,
    }
    if kind == END:
        said["total_rows"] = sync.run_rows
    return Page(sync, sync.run_pages + 1, as_json(said), len(sent), kind, after, kind == END)


def _log(sync: DataSync, shown: Shown) -> None:
    if not shown.patients:
        return
    host = urlsplit(sync.url).hostname or ""
    now, clinic_id = timezone.now(), sync.clinic_id
    record = AccessRecord(new_id(), now, None, clinic_id, ROUTE, "POST", 0, host, str(sync.run), shown)
    stored([record.packed()])


def _post(page: Page) -> None:
    """Raises SyncFailed, SwitchedOff."""
    from core.outbound.typed import post_typed  # the package takes megabytes of a process that sends nothing

    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": page.key,
        HEADER: signature([page.sync.secret], int(time.time()), page.body),
    }
    try:
        answer = post_typed(page.sync.url, body=page.body, headers=headers, allowed=settings.HMS_WEBHOOK_ALLOW)
    except OutboundTrouble as trouble:
        _note_failure(page.sync, trouble.cause)
        raise SyncFailed(trouble.cause) from trouble
    if answer.status == GONE:
        _note_failure(page.sync, f"HTTP {GONE}", is_active=False)
        raise SwitchedOff
    if not answer.ok:
        _note_failure(page.sync, f"HTTP {answer.status}")
        raise SyncFailed(f"HTTP {answer.status}")


def _note(page: Page) -> bool:
    """It was taken. False when it isn't the next page any more: another process was faster, or somebody wants everything anew."""
    now = timezone.now()
    changes: dict[str, Any] = {"last_tried_at": now, "failures": 0, "last_cause": ""}
    if page.is_end:
        changes |= {**NOTHING_UNDER_WAY, "after_position": page.sync.run_upto, "last_success_at": now, "last_rows": F("run_rows")}
    else:
        changes |= {"run_feed": page.feed, "run_after": page.after, "run_pages": page.number, "run_rows": F("run_rows") + page.rows}
    with clinic_scope(page.sync.clinic_id, reason=REASON):
        mine = DataSync.objects.filter(pk=page.sync.pk, run=page.sync.run, run_pages=page.number - 1)
        return bool(mine.update(**changes))


def _note_failure(sync: DataSync, cause: str, **more: Any) -> None:
    logger.warning("The data sync of the clinic %s failed (%s).", sync.clinic_id, cause)
    with clinic_scope(sync.clinic_id, reason=REASON):
        rows = DataSync.objects.filter(pk=sync.pk)
        rows.update(last_tried_at=timezone.now(), last_cause=cause[:100], failures=F("failures") + 1, **more)
