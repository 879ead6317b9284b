"""`manage.py rotate_encryption_keys`: new keys while people work (docs/protected-data.md). Killed, it goes on where it was."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.keys import rotation
from core.security.crypto import newest_number
from core.tenancy.models import Clinic


class Command(BaseCommand):
    help = "Renew encryption keys: a clinic's data key, its search key (--search), or what stands under the deployment's (--ring)."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--clinic", metavar="SLUG", help="A new key for one clinic.")
        what.add_argument("--all", action="store_true", help="A new key for every clinic.")
        what.add_argument("--ring", action="store_true", help="Everything under the first of HMS_ENCRYPTION_KEYS.")
        what.add_argument("--status", action="store_true", help="Say what stands under which of the deployment's keys.")
        parser.add_argument("--search", action="store_true", help="With --clinic or --all: the search key, not the data key.")
        parser.add_argument(
            "--fields", action="store_true",
            help="With --clinic or --all: no new key, but what each clinic marks as protected is encrypted, and the rest is not.",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        if options["fields"] and (options["search"] or options["ring"] or options["status"]):
            raise CommandError("--fields goes with --clinic or --all alone.")
        clinics = self._clinics(options["clinic"])
        try:
            if options["status"]:
                self._tell_usage(list(clinics))
            elif options["ring"]:
                self._renew_ring(list(clinics))
            elif options["fields"]:
                self._follow_marks(clinics)
            elif options["search"]:
                self._renew_search_keys(clinics)
            else:
                self._renew_data_keys(clinics)
        except rotation.NotFinished as error:
            raise CommandError(f"{error}\nNothing is lost: run the command again, or ask for help if it says the same.") from error

    def _clinics(self, slug: str | None) -> dict[UUID, str]:
        found = dict(Clinic.objects.order_by("slug").values_list("pk", "slug"))
        if slug is not None:
            found = {pk: one for pk, one in found.items() if one == slug}
            if not found:
                raise CommandError(f"There is no clinic {slug}.")
        return found

    def _renew_data_keys(self, clinics: dict[UUID, str]) -> None:
        """All clinics' values first, then one wait for all, then what was written meanwhile."""
        keys = {pk: rotation.new_data_key(pk, self._saying(slug)) for pk, slug in clinics.items()}
        for pk, key in keys.items():
            rotation.renew_values(pk, key, self._saying(clinics[pk]))
        for key in keys.values():
            rotation.wait_until_known(key.made_at, self.stdout.write)
        for pk, key in keys.items():
            rotation.retire_data_keys(pk, key, self._saying(clinics[pk]))
            self._saying(clinics[pk])(f"Everything stands under data key {key.number}.")

    def _follow_marks(self, clinics: dict[UUID, str]) -> None:
        """All clinics first, then one wait for all (none where the settings are older), then what was written meanwhile."""
        for pk, slug in clinics.items():
            rotation.follow_marks(pk, self._saying(slug))
        for changed in Clinic.objects.filter(pk__in=clinics).values_list("updated_at", flat=True):
            rotation.wait_until_known(changed, self.stdout.write)
        for pk, slug in clinics.items():
            rotation.follow_marks(pk, self._saying(slug))
            self._saying(slug)("Protected fields are encrypted, others are not.")

    def _renew_search_keys(self, clinics: dict[UUID, str]) -> None:
        keys = {pk: rotation.new_search_key(pk) for pk in clinics}
        for key in keys.values():
            rotation.wait_until_known(key.made_at, self.stdout.write)
        for pk, key in keys.items():
            rotation.build_tokens(pk, key, self._saying(clinics[pk]))
            rotation.search_by(pk, key)
        for key in keys.values():
            rotation.wait_until_known(key.made_at, self.stdout.write)
        for since in [rotation.stop_writing_old_tokens(pk) for pk in keys]:
            rotation.wait_until_known(since, self.stdout.write)
        for pk, key in keys.items():
            rotation.drop_old_tokens(pk, self._saying(clinics[pk]))
            self._saying(clinics[pk])(f"Patients are searched by search key {key.number}.")

    def _renew_ring(self, clinics: list[UUID]) -> None:
        self.stdout.write(f"{rotation.rewrap_keys()} keys of clinics wrapped anew.")
        unreadable = rotation.renew_ring_values(clinics, self.stdout.write)
        self._tell_usage(clinics)
        if unreadable:
            raise rotation.NotFinished("\n".join(["No key of HMS_ENCRYPTION_KEYS opens these:", *unreadable]))

    def _tell_usage(self, clinics: list[UUID]) -> None:
        usage = rotation.ring_usage(clinics)
        for number in sorted({*usage, *(int(entry.partition(":")[0]) for entry in settings.HMS_ENCRYPTION_KEYS)}):
            words = f"{usage[number]} values and keys" if usage[number] else "nothing"
            spare = "; it can be taken out" if not usage[number] and number != newest_number() else ""
            self.stdout.write(f"Under deployment key {number} stands {words}{spare}.")

    def _saying(self, slug: str) -> rotation.Say:
        return lambda words: self.stdout.write(f"{slug}: {words}")
