"""The pages of clinics."""

from django.urls import path

from clinics.pages import settings

app_name = "clinics"
urlpatterns = [
    path("settings/", settings.overview, name="settings"),
    path("settings/places/", settings.places, name="places"),
    path("settings/people/", settings.people, name="people"),
]
