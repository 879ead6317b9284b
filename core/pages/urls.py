"""The foundation's own pages."""

from django.conf import settings
from django.urls import path

from core.pages import sessions, views

app_name = "pages"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("switch-clinic/", views.switch_clinic, name="switch-clinic"),
    path("choose-clinic/", views.choose_clinic, name="choose-clinic"),
    path("account/sessions/", sessions.own_sessions, name="sessions"),
    path("drafts/<str:form>/", views.draft, name="draft"),
    path("drafts/<str:form>/discard/", views.discard_draft, name="discard-draft"),
]
if settings.DEBUG or settings.HMS_DEMO:
    urlpatterns.append(path("styleguide/", views.styleguide, name="styleguide"))
