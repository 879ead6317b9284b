"""The words a patient's record chooses from. FHIR's where it has them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Sex(models.TextChoices):
    """Administrative sex (FHIR administrative-gender)."""

    FEMALE = "female", _("Female")
    MALE = "male", _("Male")
    OTHER = "other", _("Other")
    UNKNOWN = "unknown", _("Unknown")


class BloodType(models.TextChoices):
    A_POSITIVE = "A+", "A+"
    A_NEGATIVE = "A-", "A−"
    B_POSITIVE = "B+", "B+"
    B_NEGATIVE = "B-", "B−"
    AB_POSITIVE = "AB+", "AB+"
    AB_NEGATIVE = "AB-", "AB−"
    O_POSITIVE = "O+", "O+"
    O_NEGATIVE = "O-", "O−"
    UNKNOWN = "unknown", _("Unknown")


class PatientStatus(models.TextChoices):
    ACTIVE = "active", _("Active")
    INACTIVE = "inactive", _("Inactive")
    DECEASED = "deceased", _("Deceased")
    MERGED = "merged", _("Merged into another record")
    ANONYMISED = "anonymised", _("Anonymised")


CLOSED = (PatientStatus.MERGED, PatientStatus.ANONYMISED)  # nobody's record any more: never chosen, never changed
CHOSEN_STATUS = [(status.value, status.label) for status in PatientStatus if status not in CLOSED]


class AnonymisingKind(models.TextChoices):
    """Why a record is made nobody's."""

    RETENTION = "retention", _("The clinic’s time of keeping is over")
    REQUEST = "request", _("The person asked for it")


class AnonymisingState(models.TextChoices):
    """`pending`: committed, and what only maintenance may do is still to be done (`manage.py anonymise_patients`)."""

    PENDING = "pending", _("Under way")
    DONE = "done", _("Done")


class ExportReason(models.TextChoices):
    """Why a copy of a record leaves the clinic. Codes, since free words would name the patient where no patient may be named."""

    PATIENT_REQUEST = "patient-request", _("The patient asked for it")
    TRANSFER = "transfer", _("Handed to who cares for the patient next")
    LEGAL = "legal", _("Ordered by a court or an authority")
    REVIEW = "review", _("Review of the record inside the clinic")


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("Text message")
    WHATSAPP = "whatsapp", "WhatsApp"


class TimeOfDay(models.TextChoices):
    ANY = "any", _("Any time")
    MORNING = "morning", _("Morning")
    AFTERNOON = "afternoon", _("Afternoon")
    EVENING = "evening", _("Evening")


class ConsentKind(models.TextChoices):
    TREATMENT = "treatment", _("Treatment")
    DATA_PROCESSING = "data_processing", _("Keeping and using health data")
    MESSAGES = "messages", _("Reminders and messages")


class DocumentCategory(models.TextChoices):
    """What a document is, as somebody looks for it (FHIR DocumentReference.category)."""

    LETTER = "letter", _("Letter")
    REFERRAL = "referral", _("Referral")
    RESULT = "result", _("Result or report")
    IMAGE = "image", _("Picture")
    CONSENT = "consent", _("Signed consent")
    IDENTITY = "identity", _("Identity or insurance")
    OTHER = "other", _("Other")


class DocumentStatus(models.TextChoices):
    """FHIR DocumentReference.status, its words."""

    CURRENT = "current", _("Current")
    ENTERED_IN_ERROR = "entered-in-error", _("Entered in error")
