"""What changes a patient's record."""

from patients.services.anonymising import anonymise_patient
from patients.services.consents import note_consent
from patients.services.documents import add_document, enter_document_in_error
from patients.services.export import export_patient
from patients.services.forgetting import finish_anonymisation, pending_anonymisations
from patients.services.registration import register_patient, update_patient

__all__ = [
    "add_document",
    "anonymise_patient",
    "enter_document_in_error",
    "export_patient",
    "finish_anonymisation",
    "note_consent",
    "pending_anonymisations",
    "register_patient",
    "update_patient",
]
