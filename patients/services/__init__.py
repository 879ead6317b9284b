"""What changes a patient's record."""

from patients.services.consents import note_consent
from patients.services.registration import register_patient, update_patient

__all__ = ["note_consent", "register_patient", "update_patient"]
