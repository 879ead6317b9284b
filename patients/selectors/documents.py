"""The files about a patient, and what is in one."""

from uuid import UUID

from core.accounts.actor import Actor
from core.uploads.store import content_of
from patients.models import Document
from patients.policies import visible_documents


def documents_of(*, actor: Actor, patient_id: UUID, limit: int, skip: int = 0, current: bool = True) -> list[Document]:
    """The newest first, with who added them; `current` False also those in error. One query."""
    actor.require("document", "view")
    rows = visible_documents(actor).filter(patient_id=patient_id)
    return list((rows.current() if current else rows).newest_first()[skip : skip + limit])


def document_with_content(*, actor: Actor, patient_id: UUID, document_id: UUID) -> tuple[Document, bytes]:
    """The row and its file in memory. One query, one file. Raises NotFound, ContentMissing."""
    actor.require("document", "view")
    document = visible_documents(actor).found(pk=document_id, patient_id=patient_id)
    return document, content_of(document.stored)
