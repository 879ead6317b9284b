"""The outside world: one client for each system that HMS talks to, and one careful way to addresses that people type."""
