"""The kinds that what a clinic consists of comes in."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RoomKind(models.TextChoices):
    CONSULTING = "consulting", _("Consulting room")
    TREATMENT = "treatment", _("Treatment room")


class ProviderKind(models.TextChoices):
    DOCTOR = "doctor", _("Doctor")
    NURSE = "nurse", _("Nurse")
    THERAPIST = "therapist", _("Therapist")
    TECHNICIAN = "technician", _("Technician")
