"""What is announced of patients."""

from core.events.catalogue import ID, Event, event


def _patient(name: str, words: str) -> Event:
    return event(f"patient.{name}", about="patient", fields={"patient": ID}, words=words)


REGISTERED = _patient("registered", "A patient was registered.")
CHANGED = _patient("changed", "Something of the record changed: a field, a consent, or whether it is restricted.")
ANONYMISED = _patient("anonymised", "The record was made nobody's. Forget what you keep of the person.")
