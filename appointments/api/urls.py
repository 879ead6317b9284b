"""The API routes of appointments."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from appointments.api.availability import AvailabilityViewSet, SlotViewSet
from appointments.api.queue import TicketViewSet
from appointments.api.settings import HolidayViewSet, ScheduleExceptionViewSet, ScheduleViewSet, ServiceViewSet
from appointments.api.visits import AppointmentHistoryViewSet, AppointmentViewSet

router = SimpleRouter(trailing_slash=False)
router.register("services", ServiceViewSet, "service")
router.register("schedules", ScheduleViewSet, "schedule")
router.register("schedule-exceptions", ScheduleExceptionViewSet, "schedule-exception")
router.register("holidays", HolidayViewSet, "holiday")
router.register("appointments", AppointmentViewSet, "appointment")
router.register("queue", TicketViewSet, "ticket")
urlpatterns = [
    *router.urls,
    path("slots", SlotViewSet.as_view({"get": "list"}), name="slot-list"),
    path("appointments/<str:pk>/history", AppointmentHistoryViewSet.as_view({"get": "list"}), name="appointment-history"),
    path("providers/<str:pk>/availability", AvailabilityViewSet.as_view({"get": "list"}), name="provider-availability"),
]
