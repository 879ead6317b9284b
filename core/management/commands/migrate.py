"""`manage.py migrate`, as the owner: the application's role can't change the schema."""

from typing import Any

from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import connections

from core.database.roles import connected_as


class Command(DjangoMigrate):
    def handle(self, *args: Any, **options: Any) -> Any:
        alias = options["database"]
        if alias != "default" or connections[alias].settings_dict["USER"] == "hms_owner":
            return super().handle(*args, **options)
        with connected_as("hms_owner", alias):
            return super().handle(*args, **options)
