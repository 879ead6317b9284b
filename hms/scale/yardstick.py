"""A bare Django with one view that says "ok": what HMS's own answers are compared with, behind the same server.

Only `manage.py benchmark` serves it, in a process of its own; no address of HMS leads here.
"""

import os

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, SECRET_KEY=os.urandom(32).hex(), MIDDLEWARE=[], INSTALLED_APPS=[],
        LOGGING_CONFIG=None, USE_I18N=False,
    )  # fmt: skip

    import django

    django.setup()


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain", headers={"Content-Length": "2"})


urlpatterns = [path("plain", ok)]
application = WSGIMiddleware(WSGIHandler(), workers=int(os.environ.get("HMS_WEB_THREADS", "8")))  # type: ignore[arg-type]
