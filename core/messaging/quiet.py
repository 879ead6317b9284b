"""The hours in which somebody wants no messages."""

from datetime import datetime, time, timedelta, tzinfo


def after_quiet(moment: datetime, quiet_from: time | None, quiet_until: time | None, zone: tzinfo) -> datetime:
    """The moment itself, or the end of the quiet hours in which it lies. They may span midnight; without both ends there are none.

    Both are wall-clock times of the zone. An end that the clocks jump over is reached when they have jumped.
    """
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return moment
    local = moment.astimezone(zone)
    clock = local.time().replace(fold=0)
    if quiet_from < quiet_until:
        if not quiet_from <= clock < quiet_until:
            return moment
        day = local.date()
    else:
        if quiet_until <= clock < quiet_from:
            return moment
        day = local.date() + timedelta(days=1 if clock >= quiet_from else 0)
    return max(moment, datetime.combine(day, quiet_until, zone).astimezone(moment.tzinfo))
