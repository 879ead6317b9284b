"""What happens when code touches a relation that nobody planned: one query for all rows of the list, never one for each."""

from django.db.models import base, query
from django.db.models.fetch_modes import FETCH_PEERS

DEFAULTS = ((query, "DEFAULT_FETCH_MODE"), (base, "FETCH_ONE"))  # of a queryset; of a row that no queryset made


def fetch_peers_by_default() -> None:
    """Make FETCH_PEERS the mode of every queryset: ours, Django's and third parties', related managers', the admin's.

    Django reads these constants whenever it makes a queryset or a row (docs/decisions/0010). It heals forward references,
    one-to-one and deferred fields; `.all()`, `.count()` and `.filter()` of a row's relation stay one query a row: plan
    those with `prefetch_related`. Raises RuntimeError for a Django that has no such constants.
    """
    for module, name in DEFAULTS:
        if not hasattr(module, name):
            raise RuntimeError(f"{module.__name__}.{name} is gone: an unplanned relation would cost a query a row.")
        setattr(module, name, FETCH_PEERS)
