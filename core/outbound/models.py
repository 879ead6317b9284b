"""The external systems that administrators set up, beside those of the environment."""

from functools import partial
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.history.keeping import keeps_history
from core.outbound.systems import LEAST_CONNECTIONS, ROUND_ROBIN
from core.security.fields import EncryptedTextField
from core.tenancy.ids import new_id
from core.validators import Rules, clean_choice, clean_name, clean_slug, clean_text, clean_whole_number
from core.validators.models import RuledModel

MOST_CONNECT, MOST_ANSWER, MOST_TOTAL = 30, 120, 300  # seconds
MOST_ATTEMPTS = 5


class SystemKind(models.TextChoices):
    LAB = "lab", _("Laboratory")
    IMAGING = "imaging", _("Imaging")
    PHARMACY = "pharmacy", _("Pharmacy")
    INSURER = "insurer", _("Insurer")
    PAYMENT = "payment", _("Payments")
    SMS = "sms", _("Text messages (SMS)")
    WHATSAPP = "whatsapp", _("WhatsApp")
    FHIR = "fhir", _("FHIR server")
    OTHER = "other", _("Other")


class Balance(models.TextChoices):
    ROUND_ROBIN = ROUND_ROBIN, _("In turn")
    LEAST_CONNECTIONS = LEAST_CONNECTIONS, _("Fewest open requests")


def seconds(label: Any, default: int, most: int) -> "models.PositiveSmallIntegerField[int, int]":
    return models.PositiveSmallIntegerField(
        label, default=default, validators=[MinValueValidator(1), MaxValueValidator(most)], help_text=f"1 – {most}"
    )


@keeps_history(secret=["authorization"])
class ExternalSystem(RuledModel):
    """One system that HMS asks: where it is and how patient HMS is with it. A platform table; holds nothing of a patient."""

    table_kind = "platform"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.SlugField(_("name"), max_length=40, unique=True, help_text=_("By which HMS asks for it."))
    kind = models.CharField(_("kind"), max_length=10, choices=SystemKind)
    endpoints = ArrayField(
        models.CharField(max_length=500),
        verbose_name=_("addresses"),
        help_text=_("One for each endpoint, with commas: https://lab-1.example.org/api,https://lab-2.example.org/api"),
    )
    balance = models.CharField(_("distribution"), max_length=20, choices=Balance, default=Balance.ROUND_ROBIN)
    connect_seconds = seconds(_("to connect (seconds)"), 2, MOST_CONNECT)
    answer_seconds = seconds(_("to answer (seconds)"), 10, MOST_ANSWER)
    total_seconds = seconds(_("with all tries (seconds)"), 30, MOST_TOTAL)
    attempts = models.PositiveSmallIntegerField(
        _("tries"), default=3, validators=[MinValueValidator(1), MaxValueValidator(MOST_ATTEMPTS)], help_text="1 – 5"
    )
    health_path = models.CharField(
        _("health path"), max_length=200, blank=True, help_text=_("Such as /health. Empty: the address itself.")
    )
    authorization = EncryptedTextField(_("Authorization header"), blank=True)
    is_active = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("external system")
        verbose_name_plural = _("external systems")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        return {
            "name": clean_slug,
            "kind": partial(clean_choice, choices=SystemKind.values),
            "balance": partial(clean_choice, choices=Balance.values),
            "connect_seconds": partial(clean_whole_number, least=1, most=MOST_CONNECT),
            "answer_seconds": partial(clean_whole_number, least=1, most=MOST_ANSWER),
            "total_seconds": partial(clean_whole_number, least=1, most=MOST_TOTAL),
            "attempts": partial(clean_whole_number, least=1, most=MOST_ATTEMPTS),
            "health_path": partial(clean_name, max_length=200),
            "authorization": partial(clean_text, max_length=2000),
        }
