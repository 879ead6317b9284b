"""One front for everything: the WSGI application runs in a thread pool behind ASGI (docs/decisions/0003-asgi-front.md)."""

import os
from typing import cast

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi_typing import WSGIApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
os.environ.setdefault("HMS_PROCESS", "web")

from hms.wsgi import application as wsgi_application

application = WSGIMiddleware(cast(WSGIApp, wsgi_application), workers=int(os.environ.get("HMS_WEB_THREADS", "8")))
