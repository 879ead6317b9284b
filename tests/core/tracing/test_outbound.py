"""A request to another system carries the trace in which it was asked."""

import os
from typing import Any

import pytest

from core.tracing import hooks, sending
from tests.factories.collector import Collector, collector
from tests.factories.endpoints import endpoints

__all__ = ["Any", "Collector", "collector", "endpoints", "hooks", "os", "pytest", "sending"]
