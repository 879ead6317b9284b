"""The WSGI application: pages, API, admin. All of it is loaded here: not in somebody's first request, and once for all processes
where these are forked from one that has loaded it (HMS_PRELOAD)."""

import os
import sys

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
_hidden = "requests" not in sys.modules
if _hidden:  # Django REST framework looks for it, for a client that its users' tests may have: five megabytes of every process
    sys.modules["requests"] = None  # type: ignore[assignment]
try:
    import rest_framework.compat  # noqa: F401
finally:
    if _hidden:
        del sys.modules["requests"]

application = get_wsgi_application()
application.request_class = import_string("core.charset.Utf8Request")
get_resolver().reverse_dict  # noqa: B018 (asking for it loads every route's code)
