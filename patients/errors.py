"""What can go wrong with a patient's record alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import Conflict


@dataclass(eq=False)
class DuplicatePatient(Conflict):
    """Somebody who is very likely the same person is registered already. `duplicates` holds the selector's rows."""

    duplicates: Sequence[Any] = ()
