#!/usr/bin/env python
"""The operator's way in."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
    from core.faults.commands import run

    run(sys.argv)
