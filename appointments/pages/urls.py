"""The pages of appointments."""

from django.urls import path

from appointments.pages import (
    booking,
    calendar,
    changes,
    oversight,
    patient_visits,
    schedule_settings,
    service_settings,
    today,
    visit,
    visit_link,
)

app_name = "appointments"
urlpatterns = [
    path("", today.today, name="today"),
    path("calendar/", calendar.day, name="calendar"),
    path("calendar/week/", calendar.week, name="week"),
    path("appointments/book/", booking.book, name="book"),
    path("appointments/book/panel/", booking.panel, name="book-panel"),
    path("appointments/book/patients/", booking.patient_matches, name="book-patients"),
    path("appointments/of-patient/<uuid:patient_id>/", patient_visits.of_patient, name="patient-panel"),
    path("appointments/<uuid:visit_id>/", visit.detail, name="detail"),
    path("appointments/<uuid:visit_id>/cancel/", visit.cancel, name="cancel"),
    path("appointments/<uuid:visit_id>/reschedule/", visit.reschedule, name="reschedule"),
    path("appointments/<uuid:visit_id>/undo/", visit.undo, name="undo"),
    path("appointments/<uuid:visit_id>/changes/", changes.changes, name="changes"),
    path("appointments/<uuid:visit_id>/<slug:slug>/", today.step, name="step"),
    path("visit/<str:token>/", visit_link.visit_link, name="visit-link"),
    path("oversight/unusual-access/", oversight.unusual, name="unusual-access"),
    path("settings/services/", service_settings.services, name="services"),
    path("settings/services/new/", service_settings.create, name="service-create"),
    path("settings/services/<uuid:service_id>/", service_settings.edit, name="service"),
    path("settings/schedules/", schedule_settings.schedules, name="schedules"),
    path("settings/schedules/<uuid:provider_id>/", schedule_settings.schedule, name="schedule"),
    path("settings/schedules/<uuid:provider_id>/week/", schedule_settings.week, name="schedule-week"),
    path("settings/schedules/<uuid:provider_id>/exceptions/", schedule_settings.exception_add, name="exception-add"),
    path(
        "settings/schedules/<uuid:provider_id>/exceptions/<uuid:exception_id>/remove/",
        schedule_settings.exception_remove,
        name="exception-remove",
    ),
    path("settings/holidays/", schedule_settings.holidays, name="holidays"),
    path("settings/holidays/add/", schedule_settings.holiday_add, name="holiday-add"),
    path("settings/holidays/<uuid:holiday_id>/remove/", schedule_settings.holiday_remove, name="holiday-remove"),
]
