"""Letters and results for some of a demo clinic's patients: short texts, the same every time."""

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from core.uploads.store import keep
from hms.demo.places import DemoClinic
from patients.choices import DocumentCategory
from patients.models import Document, Patient

WITH_DOCUMENTS = 40  # patients
LETTERS = (
    (DocumentCategory.LETTER, "Discharge letter", "Dear colleague,\n\nplease check the wound in ten days.\n"),
    (DocumentCategory.REFERRAL, "Referral to cardiology", "Palpitations on exertion for three weeks. Please see and advise.\n"),
    (DocumentCategory.RESULT, "Blood count", "Hb 13.5 g/dl, WBC 6.1 /nl, platelets 240 /nl. Within normal limits.\n"),
    (DocumentCategory.RESULT, "Chest X-ray, report", "Heart of normal size. No consolidation, no effusion.\n"),
    (DocumentCategory.LETTER, "Letter from physiotherapy", "Six sessions done. Exercises at home continue.\n"),
)  # fmt: skip


def invent_documents(place: DemoClinic, patients: Sequence[Patient]) -> list[Document]:
    """Unsaved rows, one to three a patient; their files are in the store already."""
    rng = Random(f"documents of {place.slug}")
    made = []
    for patient in patients[:WITH_DOCUMENTS]:
        for category, title, text in rng.sample(LETTERS, rng.randint(1, 3)):
            content = text.encode()
            document = Document(
                patient=patient,
                title=title,
                category=category,
                date=date(2026, 6, 1) - timedelta(days=rng.randrange(400)),
                stored=keep(content),
                content_type="text/plain",
                file_name=f"{title}.txt",
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
            document.created_at = document.updated_at = patient.created_at + timedelta(days=1)
            made.append(document)
    return made
