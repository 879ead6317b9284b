"""`manage.py explain patients.search`: how PostgreSQL carries out a named operation, for a clinic, as the application's role."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.database.optimizer import NoSample, Profile, UnknownOperation, optimizer
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic


class Command(BaseCommand):
    help = "Carry out a named operation and show each statement's plan (EXPLAIN ANALYZE, BUFFERS) and what is wrong with it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("operation", nargs="?", help="Such as patients.search; without it, their names.")
        parser.add_argument("--all", action="store_true", help="Every operation: one line each, and the findings.")
        parser.add_argument("--clinic", default="", help="The slug; by default the first clinic.")
        parser.add_argument("--check", action="store_true", help="Fail when there is a finding.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["all"] and not options["operation"]:
            self.stdout.write("\n".join(optimizer.names()))
            return
        names = optimizer.names() if options["all"] else [options["operation"]]
        found = sum(self._explain(name, self._clinic(options["clinic"]), whole=not options["all"]) for name in names)
        if found and options["check"]:
            raise CommandError(f"{found} findings.")

    def _clinic(self, slug: str) -> Clinic:
        clinics = Clinic.objects.filter(slug=slug) if slug else Clinic.objects.order_by("created_at", "id")
        clinic = clinics.first()
        if clinic is None:
            raise CommandError(f"There is no clinic {slug}." if slug else "There is no clinic yet.")
        return clinic

    def _explain(self, name: str, clinic: Clinic, *, whole: bool) -> int:
        """Print the operation's profile; return the number of findings."""
        try:
            with clinic_scope(clinic, reason=f"manage.py explain {name}"):
                profile = optimizer.profile(name)
        except UnknownOperation as error:
            raise CommandError(str(error)) from error
        except NoSample as error:
            self.stdout.write(f"{name:32} {error}")
            return 0
        figures = f"{len(profile.statements):3} statements {profile.rows:6} rows {profile.milliseconds:9.2f} ms"
        self.stdout.write(f"{name:32} {figures}")
        if whole:
            self._plans(profile)
        findings = profile.findings()
        for finding in findings:
            self.stdout.write(self.style.WARNING(f"  {finding.code}: {finding}"))
        return len(findings)

    def _plans(self, profile: Profile) -> None:
        for statement in profile.statements:
            self.stdout.write(f"\n{statement.fingerprint.text}")
            self.stdout.write(f"  {statement.rows} rows, {statement.milliseconds:.2f} ms")
            for line in statement.plan.lines() if statement.plan else ["the same plan as above, or none"]:
                self.stdout.write(f"    {line}")
