"""What screens and machines ask about visits and working time."""

from appointments.selectors.availability import FreeSlot, WorkingTime, as_sent, free_slots, nearest_slots, working_time
from appointments.selectors.calendar import CalendarEvent, CalendarPage, Column, Stretch, calendar_day, calendar_week
from appointments.selectors.today import Figures, FirstFree, IdleProvider, TodayBoard, today_board
from appointments.selectors.visits import (
    HistoryLine,
    PatientVisits,
    VisitDetail,
    VisitRow,
    appointment_detail,
    appointments_of,
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
    "PatientVisits",
    "Stretch",
    "TodayBoard",
    "VisitDetail",
    "VisitRow",
    "WorkingTime",
    "appointment_detail",
    "appointments_of",
    "as_sent",
    "calendar_day",
    "calendar_week",
    "free_slots",
    "history_of",
    "nearest_slots",
    "today_board",
    "working_time",
]
