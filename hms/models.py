"""The project's own tables: what the demo remembers of itself."""

from hms.demo.models import DemoState

__all__ = ["DemoState"]
