"""The yardstick's server is HMS's, option by option, without what HMS does when a worker begins and ends."""

import runpy
from pathlib import Path

_options = runpy.run_path(str(Path(__file__).parent.parent / "gunicorn.conf.py"))
globals().update({name: value for name, value in _options.items() if not callable(value) and not name.startswith("_")})
