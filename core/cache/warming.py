"""What is asked for first thing in the morning is loaded before anybody asks: `manage.py warm_cache`, after a deployment."""

from collections.abc import Callable

from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic

_hot: dict[str, Callable[[], object]] = {}


def warmed(name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Declare a function that reads hot keys through the cache. It runs in the scope of each active clinic."""

    def declare(function: Callable[[], object]) -> Callable[[], object]:
        _hot[name] = function
        return function

    return declare


def warm_up() -> dict[str, int]:
    """Read every declared key for every active clinic; how often each was read. A scope, and its reads, for each clinic."""
    counts = dict.fromkeys(sorted(_hot), 0)
    for clinic_id in Clinic.objects.filter(state=Clinic.State.ACTIVE).values_list("pk", flat=True):
        for name in counts:
            with clinic_scope(clinic_id, reason=f"warm {name}"):
                _hot[name]()
            counts[name] += 1
    return counts


def warm_clinic() -> None:
    """The same for the clinic in whose scope this is called."""
    for name in sorted(_hot):
        _hot[name]()
