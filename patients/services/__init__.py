"""What changes a patient's record."""

from patients.services.anonymising import anonymise_patient
from patients.services.break_glass import break_glass, end_access, judge_access
from patients.services.consents import note_consent
from patients.services.documents import add_document, enter_document_in_error
from patients.services.export import export_patient
from patients.services.forgetting import finish_anonymisation, pending_anonymisations
from patients.services.messages import resume_messages
from patients.services.registration import register_patient, update_patient
from patients.services.restriction import restrict_record

__all__ = [
    "add_document",
    "anonymise_patient",
    "break_glass",
    "end_access",
    "enter_document_in_error",
    "export_patient",
    "finish_anonymisation",
    "judge_access",
    "note_consent",
    "pending_anonymisations",
    "register_patient",
    "restrict_record",
    "resume_messages",
    "update_patient",
]
