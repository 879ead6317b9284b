"""The demo's mark in the admin."""

from django.contrib import admin

from core.admin_site import ScopedAdmin
from hms.demo.models import DemoState


@admin.register(DemoState)
class DemoStateAdmin(ScopedAdmin):
    """Whether this database is a demo's, and when its days were set up."""

    resource = "user"
    read_only = True
    list_display = ("slug", "day", "seeded_at")
