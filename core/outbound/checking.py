"""Looking at all external systems at once, so that the sick are known before somebody needs them."""

import logging
from concurrent.futures import ThreadPoolExecutor

from core.outbound.errors import NotConfigured
from core.outbound.registry import registry

logger = logging.getLogger(__name__)

AT_ONCE = 16  # systems
type Found = dict[tuple[str, str], str]

_causes: Found = {}


def check_all() -> Found:
    """By system and endpoint: "" or why it doesn't answer. The breakers learn of it. A query every ten seconds at most.

    What is other than at this process's last look is logged.
    """
    clients = []
    for name in sorted(registry.systems()):
        try:
            clients.append(registry.client(name))
        except NotConfigured:  # switched off this moment
            continue
    if not clients:
        return {}
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(clients))) as pool:
        looks = list(pool.map(lambda client: client.check(), clients))
    found = {(one.system.name, end): cause for one, causes in zip(clients, looks, strict=True) for end, cause in causes.items()}
    _log(found)
    return found


def _log(found: Found) -> None:
    for (system, endpoint), cause in found.items():
        before = _causes.get((system, endpoint), "")
        if cause and cause != before:
            logger.warning("%s, %s: %s.", system, endpoint, cause)
        elif before and not cause:
            logger.info("%s, %s answers again.", system, endpoint)
    _causes.clear()
    _causes.update(found)
