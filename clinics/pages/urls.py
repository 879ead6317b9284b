"""The pages of clinics."""

from django.urls import path

from clinics.pages import api_keys, joining, people, protection, settings

app_name = "clinics"
urlpatterns = [
    path("settings/", settings.overview, name="settings"),
    path("settings/places/", settings.places, name="places"),
    path("settings/protection/", protection.protection, name="protection"),
    path("settings/people/", people.people, name="people"),
    path("settings/people/invite/", people.invite_person, name="invite"),
    path("settings/people/members/<uuid:membership_id>/", people.member, name="member"),
    path("settings/people/invitations/<uuid:invitation_id>/withdraw/", people.withdraw, name="withdraw-invitation"),
    path("settings/people/invitations/<uuid:invitation_id>/send-again/", people.send_again, name="send-invitation-again"),
    path("settings/api-keys/", api_keys.api_keys, name="api-keys"),
    path("settings/api-keys/make/", api_keys.make, name="make-api-key"),
    path("settings/api-keys/<uuid:key_id>/end/", api_keys.end, name="end-api-key"),
    path("join/<str:token>/", joining.join, name="join"),
]
