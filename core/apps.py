"""The foundation starts: database up, grants in place before the first migration."""

import sys

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import pre_migrate
from django.utils.translation import gettext_lazy as _

from core.database.places import EmbeddedPostgresError


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = _("Platform")

    def ready(self) -> None:
        from core import checks  # noqa: F401  (registers the system checks)
        from core.database.roles import grant_defaults

        pre_migrate.connect(grant_defaults, sender=self)
        if settings.EMBEDDED_POSTGRES and sys.argv[1:2] != ["db"]:  # `manage.py db stop` need not start it first
            try:
                settings.EMBEDDED_POSTGRES.ensure_running()
            except EmbeddedPostgresError as error:
                sys.exit(f"HMS can't start: {error}")


class HMSAdminConfig(AdminConfig):
    """Django's admin with our site in place of its own."""

    default_site = "core.admin_site.HMSAdminSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin
        from django.contrib.auth.models import Group

        admin.site.unregister(Group)  # rights come from the permission matrix, never from Django's groups
