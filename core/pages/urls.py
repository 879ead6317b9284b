"""The foundation's own pages."""

from django.conf import settings
from django.urls import path

from core.pages import account, again, notifications, passwords, queue_dashboard, receipts, second_step, sessions, views

app_name = "pages"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/second/", second_step.second_step, name="second-step"),
    path("sign-in/second/code/", second_step.send_code, name="send-code"),
    path("sign-in/again/", again.sign_in_again, name="sign-in-again"),
    path("sign-in/passkey/", second_step.passkey, name="passkey"),
    path("sign-in/passkey/ask/", second_step.ask_passkey, name="ask-passkey"),
    path("sign-in/forgotten/", passwords.forgotten, name="forgotten"),
    path("sign-in/new-password/", passwords.new_password, name="new-password"),
    path("account/security/", account.security, name="security"),
    path("account/security/app/", account.add_app, name="add-app"),
    path("account/security/code/", account.add_code, name="add-code"),
    path("account/security/passkey/", account.add_passkey, name="add-passkey"),
    path("account/security/passkey/ask/", account.ask_passkey, name="ask-new-passkey"),
    path("account/security/recovery/", account.new_recovery_codes, name="new-recovery-codes"),
    path("account/security/remove/", account.remove_factor, name="remove-factor"),
    path("account/password/", passwords.own_password, name="own-password"),
    path("account/confirm/", account.confirm, name="confirm"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("switch-clinic/", views.switch_clinic, name="switch-clinic"),
    path("choose-clinic/", views.choose_clinic, name="choose-clinic"),
    path("account/sessions/", sessions.own_sessions, name="sessions"),
    path("notifications/", notifications.notifications, name="notifications"),
    path("notifications/unread/", notifications.unread, name="unread"),
    path("notifications/panel/", notifications.panel, name="notifications-panel"),
    path("notifications/read-all/", notifications.read_all, name="read-all"),
    path("notifications/<uuid:notification_id>/read/", notifications.read, name="read"),
    path("queue-dashboard/", queue_dashboard.queue_dashboard, name="queue-dashboard"),
    path("queue-dashboard/retry-all/", queue_dashboard.retry_all, name="retry-jobs"),
    path("queue-dashboard/jobs/<uuid:job_id>/retry/", queue_dashboard.retry, name="retry-job"),
    path("queue-dashboard/jobs/<uuid:job_id>/cancel/", queue_dashboard.cancel, name="cancel-job"),
    path("queue/metrics", queue_dashboard.metrics, name="queue-metrics"),
    path("webhooks/messages/<slug:channel>/", receipts.receipts, name="receipts"),
    path("drafts/<str:form>/", views.draft, name="draft"),
    path("drafts/<str:form>/discard/", views.discard_draft, name="discard-draft"),
]
if settings.DEBUG or settings.HMS_DEMO:
    urlpatterns.append(path("styleguide/", views.styleguide, name="styleguide"))
