"""Questions about patients that are more than one queryset."""

from patients.selectors.accesses import Access, accesses_of
from patients.selectors.documents import document_with_content, documents_of
from patients.selectors.duplicates import Duplicate, duplicates_of
from patients.selectors.records import latest_consents, recent_patients, record_rows
from patients.selectors.search import MatchedTerm, PatientMatch, search_patients

__all__ = [
    "Access",
    "Duplicate",
    "MatchedTerm",
    "PatientMatch",
    "accesses_of",
    "document_with_content",
    "documents_of",
    "duplicates_of",
    "latest_consents",
    "recent_patients",
    "record_rows",
    "search_patients",
]
