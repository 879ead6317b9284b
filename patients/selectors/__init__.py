"""Questions about patients that are more than one queryset."""

from patients.selectors.accesses import Access, accesses_of
from patients.selectors.break_glass import EmergencyAccess, accesses_to_judge, emergency_access, emergency_accesses
from patients.selectors.documents import document_with_content, documents_of
from patients.selectors.duplicates import Duplicate, duplicates_of
from patients.selectors.records import latest_consents, recent_patients, record_rows
from patients.selectors.search import MatchedTerm, PatientMatch, search_patients

__all__ = [
    "Access",
    "Duplicate",
    "EmergencyAccess",
    "MatchedTerm",
    "PatientMatch",
    "accesses_of",
    "accesses_to_judge",
    "document_with_content",
    "documents_of",
    "duplicates_of",
    "emergency_access",
    "emergency_accesses",
    "latest_consents",
    "recent_patients",
    "record_rows",
    "search_patients",
]
