"""HMS with two addresses more: one leaks, one takes its time (tests/core/memory/test_leak.py)."""

from hms.settings import *  # noqa: F403

ROOT_URLCONF = "tests.factories.leaking_urls"
