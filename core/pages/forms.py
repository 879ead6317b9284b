"""The forms with which people sign in and look after their own account."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.messaging.channels import configured
from core.messaging.models import Channel
from core.validators import clean_phone


def email_field(**attrs: Any) -> forms.EmailField:
    return forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username", **attrs}))


def password_field(label: Any = None, *, autocomplete: str = "current-password", **kwargs: Any) -> forms.CharField:
    label = label or _("Password")
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=1024, strip=False, widget=widget, **kwargs)


def code_field(label: Any, **kwargs: Any) -> forms.CharField:
    attrs = {"autocomplete": "one-time-code", "inputmode": "text", "autocapitalize": "none", "spellcheck": "false"}
    return forms.CharField(label=label, max_length=40, widget=forms.TextInput(attrs={**attrs, "autofocus": True}), **kwargs)


class SignInForm(forms.Form):
    email = email_field(autofocus=True)
    password = password_field()


class SecondStepForm(forms.Form):
    code = code_field(_("Code"))


class ForgottenForm(forms.Form):
    email = email_field(autofocus=True)


class NewPasswordForm(forms.Form):
    password = password_field(
        _("New password"),
        autocomplete="new-password",
        help_text=_("At least twelve characters. A few words that only you would put together are good."),
    )


class OwnPasswordForm(NewPasswordForm):
    """The present password as proof, and the new one."""

    current = password_field(_("Present password"))

    field_order = ("current", "password")


class ConfirmForm(forms.Form):
    password = password_field()


class AppForm(forms.Form):
    code = code_field(_("Code of the app"), help_text=_("Six digits, as the app shows them now."))


class PasskeyForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=60, required=False, help_text=_("To tell it from others: Phone, Blue key."))
    answer = forms.CharField(max_length=16_384, required=False, widget=forms.HiddenInput)


class CodeWaysForm(forms.Form):
    """How codes come; the phone is proved by one."""

    channel = forms.ChoiceField(label=_("How"), choices=Channel.choices, widget=forms.RadioSelect)
    phone = forms.CharField(
        label=_("Mobile number"),
        max_length=40,
        required=False,
        help_text=_("With the country's code: +44 20 7946 0018. Not needed for e-mail."),
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )

    def __init__(self, *args: Any, country: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.country = country
        offered = [(one.value, one.label) for one in Channel if one in configured()]
        self.fields["channel"].choices = offered  # type: ignore[attr-defined]

    def clean_phone(self) -> str:
        by_phone = self.cleaned_data.get("channel") in (Channel.SMS, Channel.WHATSAPP)
        return clean_phone(self.cleaned_data["phone"], country=self.country, required=True) if by_phone else ""


class CodeProofForm(forms.Form):
    code = code_field(_("Code that was sent"))
