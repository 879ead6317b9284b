"""The foundation starts: database up, grants in place before the first migration."""

import sys
from datetime import timedelta
from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import pre_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from core.database.places import EmbeddedPostgresError


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = _("Platform")

    def ready(self) -> None:
        from core import checks, operations  # noqa: F401  (checks registers the system checks)
        from core.audit.break_glass import Glass
        from core.audit.restricted import add_way
        from core.cache import cache
        from core.database import detector, fetching, lookups  # noqa: F401  (lookups registers itself)
        from core.database.roles import grant_defaults
        from core.events.announcing import subscribe_to_all
        from core.health import everything
        from core.messaging.progress import when_refused
        from core.metrics import ledgers
        from core.monitoring import installation
        from core.notifications import causes
        from core.tenancy.units import after_commit
        from core.webhooks.waking import note_event

        fetching.fetch_peers_by_default()
        operations.register()
        everything.register_all()
        ledgers.register()
        installation.register()
        autodiscover_modules("tasks")
        for module in settings.HMS_JOB_MODULES:
            import_module(module)
        add_way(Glass())
        causes.register()
        when_refused(causes.tell_of_refusal)
        _settings_pages()
        _keep_for_a_time()
        _encrypt_odd_places()
        if settings.DEBUG:
            detector.listeners.append(detector.warn)
        pre_migrate.connect(grant_defaults, sender=self)
        after_commit(cache.committed)
        subscribe_to_all(note_event)
        if settings.EMBEDDED_POSTGRES and sys.argv[1:2] not in (["db"], ["doctor"], ["analyse_logs"]):  # to stop it or look at it
            try:
                settings.EMBEDDED_POSTGRES.ensure_running()
            except EmbeddedPostgresError as error:
                sys.exit(f"HMS can't start: {error}")


def _settings_pages() -> None:
    from core.pages.navigation import SettingsLink, add_settings_link

    words = _("What HMS does later or by itself: what waits, runs and has failed.")
    add_settings_link(SettingsLink(70, _("Jobs"), words, "refresh", "pages:queue-dashboard", "job"))


def _keep_for_a_time() -> None:
    """What `manage.py maintain` deletes, and after how long. Tables in which strangers can make rows are all among it."""
    from core.accounts.auth_sessions import KEPT_FOR as SESSIONS_KEPT_FOR
    from core.accounts.throttle import FORGOTTEN_AFTER
    from core.audit.partitions import due_partitions
    from core.database.retention import also_due, keep_for
    from core.drafts.services import KEPT_FOR as DRAFTS_KEPT_FOR
    from core.idempotency.middleware import KEPT_FOR as ANSWERS_KEPT_FOR
    from core.jobs.forgetting import succeeded_often
    from core.monitoring.keeping import QUARTERS_KEPT
    from core.security.blocking import KNOWN_FOR
    from core.workers.selectors import FORGOTTEN

    keep_for("core_securityevent", "minute", lambda: timedelta(days=settings.HMS_SECURITY_EVENT_DAYS))
    keep_for("core_addressstanding", "points_at", lambda: KNOWN_FOR)
    keep_for("core_addressblock", "until", lambda: timedelta(days=365))
    keep_for("core_signinthrottle", "last_failure_at", lambda: FORGOTTEN_AFTER)
    keep_for("core_ratecounter", "expires_at", timedelta)
    keep_for("core_idempotencyrecord", "created_at", lambda: ANSWERS_KEPT_FOR)
    keep_for("core_draft", "updated_at", lambda: DRAFTS_KEPT_FOR)
    keep_for("core_onetimecode", "expires_at", timedelta)
    keep_for("core_outgoingmessage", "created_at", lambda: timedelta(days=settings.HMS_MESSAGE_DAYS))
    keep_for("core_notification", "created_at", lambda: timedelta(days=settings.HMS_NOTIFICATION_DAYS))
    keep_for("core_job", "finished_at", lambda: timedelta(days=settings.HMS_JOB_DAYS))
    keep_for("core_fault", "last_seen", lambda: timedelta(days=settings.HMS_FAULT_DAYS))
    keep_for("core_workerprocess", "beat_at", lambda: FORGOTTEN)
    keep_for("core_backuprun", "finished_at", lambda: timedelta(days=400))
    keep_for("core_alert", "resolved_at", lambda: timedelta(days=400))
    keep_for("core_metricsample", "moment", lambda: QUARTERS_KEPT)
    keep_for("core_domainevent", "at", lambda: timedelta(days=settings.HMS_EVENT_DAYS))
    keep_for("core_webhookdelivery", "created_at", lambda: timedelta(days=settings.HMS_EVENT_DAYS))
    keep_for("django_session", "expire_date", timedelta)
    keep_for("core_authsession", "expires", lambda: SESSIONS_KEPT_FOR)
    also_due(due_partitions)
    also_due(succeeded_often)


def _encrypt_odd_places() -> None:
    """Where encrypted values stand that no EncryptedTextField names: the rotation of keys renews them too."""
    from core.accounts.factors.models import CONTEXT as FACTORS
    from core.drafts.models import CONTEXT as DRAFTS
    from core.history.protecting import KeptValues
    from core.idempotency.middleware import CONTEXT as ANSWERS
    from core.keys.places import encrypts_column, encrypts_elsewhere, follows_marks
    from core.uploads.rotation import Files

    encrypts_column("core.Draft", "payload", DRAFTS)
    encrypts_column("core.IdempotencyRecord", "answer", ANSWERS)
    encrypts_column("core.SecondFactor", "sealed", FACTORS, "user_id", "kind")
    encrypts_elsewhere(Files())
    follows_marks(KeptValues())


class HMSAdminConfig(AdminConfig):
    """Django's admin with our site in place of its own."""

    default_site = "core.admin_site.HMSAdminSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin
        from django.contrib.auth.models import Group

        admin.site.unregister(Group)  # rights come from the permission matrix, never from Django's groups
