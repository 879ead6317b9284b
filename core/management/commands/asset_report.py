"""`manage.py asset_report`: what each page's files weigh, and which page is over its budget."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.static_files.budgets import FILE_BYTES, FILES
from core.static_files.pages import pages

LINE = "{:>5} {:>5} {:>9} {:>9}  {}"


class Command(BaseCommand):
    help = "What the files of each page weigh, by its template. Ends with 1 if a page is over the budget. Needs no database."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        found = pages()
        self.stdout.write(f"Budget: {FILES} files at once, {_kb(FILE_BYTES)} by gzip in all\n")
        self.stdout.write(LINE.format("files", "later", "gzip", "brotli", "page"))
        for page in found:
            name = f"{page.template}  OVER" if page.is_over else page.template
            self.stdout.write(LINE.format(len(page.files), len(page.later), _kb(page.gzipped), _kb(page.brotlied), name))
        if heavy := [page.template for page in found if page.is_over]:
            raise CommandError(f"Over the budget: {', '.join(heavy)}.")


def _kb(size: int) -> str:
    return f"{size / 1024:.1f} kB"
