"""What screens and machines ask about visits and working time."""

from appointments.selectors.availability import (
    FreeSlot,
    WorkingTime,
    as_sent,
    free_slots,
    free_time_tags,
    nearest_slots,
    working_time,
)
from appointments.selectors.calendar import CalendarEvent, CalendarPage, Column, Stretch, calendar_day, calendar_tags, calendar_week
from appointments.selectors.timetable import LocationBrief, locations_of
from appointments.selectors.today import Figures, FirstFree, IdleProvider, TodayBoard, board_tags, today_board
from appointments.selectors.visits import (
    HistoryLine,
    PatientVisits,
    VisitDetail,
    VisitRow,
    appointment_detail,
    appointments_of,
    expected_visits,
    history_of,
)

__all__ = [
    "CalendarEvent",
    "CalendarPage",
    "Column",
    "Figures",
    "FirstFree",
    "FreeSlot",
    "HistoryLine",
    "IdleProvider",
    "LocationBrief",
    "PatientVisits",
    "Stretch",
    "TodayBoard",
    "VisitDetail",
    "VisitRow",
    "WorkingTime",
    "appointment_detail",
    "appointments_of",
    "as_sent",
    "board_tags",
    "calendar_day",
    "calendar_tags",
    "calendar_week",
    "expected_visits",
    "free_slots",
    "free_time_tags",
    "history_of",
    "locations_of",
    "nearest_slots",
    "today_board",
    "working_time",
]
