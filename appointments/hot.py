"""What the first receptionist in the morning asks for, loaded before (`manage.py warm_cache`)."""

from appointments.selectors.timetable import closures, open_locations, open_rooms, weekly_blocks
from appointments.selectors.today import usual_minutes, wait_limits
from core.cache.warming import warmed


def register() -> None:
    """Hours and what they speak of, and the clinic's own limits: six queries a clinic."""
    warmed("hours.weekly")(weekly_blocks)
    warmed("hours.locations")(open_locations)
    warmed("hours.rooms")(open_rooms)
    warmed("hours.closures")(closures)
    warmed("clinics.wait_limits")(wait_limits)
    warmed("appointments.usual_minutes")(usual_minutes)
