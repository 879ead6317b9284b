"""Who uses the memory: by line of code, by component, by type of object."""

import gc
import sys
import sysconfig
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings

PACKAGES = sysconfig.get_paths()["purelib"]
NOT_OURS = (tracemalloc.Filter(False, tracemalloc.__file__), tracemalloc.Filter(False, __file__))


def places(middle: tracemalloc.Snapshot, end: tracemalloc.Snapshot) -> list[dict[str, Any]]:
    """By line: what is held of what was allocated since tracing began, and by how much that grew since the middle."""
    differences = end.filter_traces(NOT_OURS).compare_to(middle.filter_traces(NOT_OURS), "lineno")
    return [
        {
            "place": f"{short(one.traceback[0].filename)}:{one.traceback[0].lineno}",
            "component": component_of(one.traceback[0].filename),
            "bytes": one.size,
            "count": one.count,
            "growth_bytes": one.size_diff,
            "growth_count": one.count_diff,
        }
        for one in differences
    ]


def by_component(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those lines added up, the fastest growing first."""
    found: dict[str, dict[str, Any]] = {}
    for one in lines:
        total = found.setdefault(one["component"], {"component": one["component"], "bytes": 0, "growth_bytes": 0})
        total["bytes"] += one["bytes"]
        total["growth_bytes"] += one["growth_bytes"]
    return sorted(found.values(), key=lambda one: (-one["growth_bytes"], -one["bytes"]))


def object_types() -> Counter[str]:
    """How many objects of each type the collector knows; not those that were there before the process was settled."""
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


def component_of(filename: str) -> str:
    """`core.cache`, `patients`, a library's name, or `python`."""
    path = Path(filename)
    if path.is_relative_to(PACKAGES):
        return path.relative_to(PACKAGES).parts[0].removesuffix(".py")
    if path.is_relative_to(settings.BASE_DIR):
        parts = path.relative_to(settings.BASE_DIR).parts
        return ".".join(parts[: 2 if len(parts) > 2 else 1]).removesuffix(".py")
    return "python"


def short(filename: str) -> str:
    """From HMS's folder, the packages' or Python's on."""
    path = Path(filename)
    for root in (PACKAGES, settings.BASE_DIR, sys.prefix, sys.base_prefix):
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return filename
