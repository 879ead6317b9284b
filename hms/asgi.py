"""One front for everything: the WSGI application runs in a thread pool behind ASGI (docs/decisions/0003)."""

import os

from a2wsgi import WSGIMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
os.environ.setdefault("HMS_PROCESS", "web")

from hms.wsgi import application as wsgi_application

application = WSGIMiddleware(wsgi_application, workers=int(os.environ.get("HMS_WEB_THREADS", "8")))
