"""The mark that makes a database a demo's, and when each demo clinic's day was last set up."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DemoState(models.Model):
    """One row a demo clinic. A database without any is not a demo's, whatever is in it."""

    table_kind = "platform"

    slug = models.CharField(_("clinic"), max_length=63, primary_key=True)
    day = models.DateField(_("day"), null=True, help_text=_("The clinic's local day that was made its today."))
    seeded_at = models.DateTimeField(_("set up"), null=True)

    class Meta:
        app_label = "hms"
        verbose_name = _("demo state")
        verbose_name_plural = _("demo state")

    def __str__(self) -> str:
        return self.slug
