"""One front for everything: the WSGI application runs in a thread pool behind ASGI (docs/decisions/0003-asgi-front.md).

Streams and sockets stay here, once the application has let them in.
"""

import os
from typing import cast

from a2wsgi.wsgi_typing import WSGIApp
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hms.settings")
os.environ.setdefault("HMS_PROCESS", "web")

from hms.wsgi import application as wsgi_application

# isort: split
from core.health.middleware import ALIVE, PROBES
from core.realtime.front import Streams
from core.realtime.process import join
from core.uploads.limits import body_limit
from hms.bodies import Application, WholeBody
from hms.farewell import Farewell
from hms.threads import Threads

_threads = Threads(
    cast(WSGIApp, wsgi_application),
    workers=int(os.environ.get("HMS_WEB_THREADS", "4")),
    apart=[{ALIVE}, PROBES - {ALIVE}],  # whether a process lives is told also while others wait for what it depends on
)
bodies = WholeBody(cast(Application, _threads), limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, larger=body_limit)
application = Farewell(Streams(bodies))
join()
