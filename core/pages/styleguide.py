"""The form the styleguide shows: each kind of field, once as it opens and once with everything wrong."""

import re
from functools import cache
from pathlib import Path

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class ExampleForm(forms.Form):
    """Every kind of field that HMS uses."""

    name = forms.CharField(label=_("Full name"), max_length=100)
    phone = forms.CharField(label=_("Mobile"), required=False, help_text=_("Reminders go here."))
    born = forms.DateField(label=_("Date of birth"), widget=forms.DateInput(attrs={"type": "date"}))
    language = forms.ChoiceField(label=_("Language"), choices=[("en", _("English")), ("es", _("Spanish"))])
    note = forms.CharField(label=_("Note for reception"), required=False, widget=forms.Textarea(attrs={"rows": 2}))
    reminders = forms.MultipleChoiceField(
        label=_("Reminders by"),
        choices=[("sms", _("Text message")), ("email", _("E-mail"))],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    agreed = forms.BooleanField(label=_("Consents to text messages"), required=False)


def wrong_example() -> ExampleForm:
    """The same form as it comes back when nothing in it was right."""
    form = ExampleForm(
        {"wrong-name": "", "wrong-born": "1974-02-31", "wrong-language": "xx", "wrong-reminders": "fax"}, prefix="wrong"
    )
    form.is_valid()
    return form


@cache
def icon_names() -> list[str]:
    """Every drawing in the sprite, in its order."""
    sprite = Path(settings.BASE_DIR, "static", "icons", "icons.svg").read_text(encoding="utf-8")
    return re.findall(r'<symbol[^>]*\bid="([a-z-]+)"', sprite)
