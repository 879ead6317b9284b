"""The query parameters of scheduling: read once, named when wrong."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request

from appointments.choices import Status
from core.api.filters import query
from core.errors import BadRequest, Detail, ValidationFailed

LONGEST_PERIOD = 62  # days a question for slots or availability may span
EARLIEST, LATEST = date(1971, 1, 1), date(2200, 1, 1)


PROVIDER = query("provider", OpenApiTypes.UUID, "Only this provider's.")
LOCATION = query("location", OpenApiTypes.UUID, "Only at this location.")
FIRST_DAY = query("from", OpenApiTypes.DATE, "The first local day; today when left out.")
LAST_DAY = query("to", OpenApiTypes.DATE, f"The last local day; six days later when left out, at most {LONGEST_PERIOD} days.")


class Parameters:
    """Reads the request's parameters, gathers what is wrong, and says it all at once with `check`."""

    def __init__(self, request: Request) -> None:
        self.given: Mapping[str, str] = {name: ",".join(values) for name, values in request.query_params.lists()}
        self.wrong: list[Detail] = []

    def uuid(self, name: str, *, required: bool = False) -> UUID | None:
        text = self.given.get(name)
        if text is None:
            if required:
                self._refuse(name, "required", "This parameter is needed.")
            return None
        try:
            return UUID(text)
        except ValueError:
            self._refuse(name, "invalid", "This is not an id.")
            return None

    def day(self, name: str) -> date | None:
        text = self.given.get(name)
        return None if text is None else self._day(name, text)

    def moment(self, name: str) -> date | datetime | None:
        """A day, or a time with its offset."""
        text = self.given.get(name)
        if text is None or len(text) <= 10:
            return None if text is None else self._day(name, text)
        try:
            value = parse_datetime(text.replace(" ", "+"))  # an unescaped + arrives as a space
        except ValueError:
            value = None
        if value is None or timezone.is_naive(value) or not EARLIEST <= value.date() <= LATEST:
            self._refuse(name, "invalid", "A day as 2026-01-31, or a time with its offset from UTC.")
            return None
        return value

    def statuses(self, name: str) -> list[str]:
        return self.words(name, Status.values)

    def words(self, name: str, known: Collection[str]) -> list[str]:
        wanted = self.given[name].split(",") if name in self.given else []
        if unknown := [text for text in wanted if text not in known]:
            self._refuse(name, "invalid_choice", f"There is no status {unknown[0][:40]!r}.")
        return wanted

    def flag(self, name: str) -> bool | None:
        text = self.given.get(name)
        if text is not None and text not in ("true", "false"):
            self._refuse(name, "invalid", "true or false.")
        return None if text is None else text == "true"

    def period(self) -> tuple[date, date]:
        """`from` and `to`, both included."""
        first = self.day("from") or timezone.localdate()
        last = self.day("to") or first + timedelta(days=6)
        if not self.wrong and last < first:
            self._refuse("to", "before_start", "The last day is before the first.")
        elif not self.wrong and (last - first).days >= LONGEST_PERIOD:
            self._refuse("to", "too_far", f"At most {LONGEST_PERIOD} days at once.")
        return first, last

    def check(self, error: type[BadRequest | ValidationFailed] = BadRequest) -> None:
        if self.wrong:
            raise error(" ".join(detail.message for detail in self.wrong), self.wrong)

    def missing(self, name: str) -> None:
        """The record that a parameter names does not exist (or is another clinic's)."""
        self._refuse(name, "not_found", "There is no such record.")

    def _day(self, name: str, text: str) -> date | None:
        try:
            value = parse_date(text)
        except ValueError:
            value = None
        if value is None or not EARLIEST <= value <= LATEST:
            self._refuse(name, "invalid", "A day as 2026-01-31.")
            return None
        return value

    def _refuse(self, name: str, code: str, message: str) -> None:
        self.wrong.append(Detail(name, code, message))
