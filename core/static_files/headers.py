"""What is said of a static file besides its content: how long caches may keep it, and who may load it."""

import re
from pathlib import PurePosixPath
from wsgiref.headers import Headers

from django.conf import settings

HASHED = re.compile(r"\.[0-9a-f]{12}\.[^/.]+$")
DAY = 86_400  # seconds
FOR_EVER = f"public, max-age={365 * DAY}, immutable"  # under a name that changes with its content
BY_KIND = {  # seconds, under its plain name
    **dict.fromkeys((".css", ".js", ".mjs", ".map", ".json"), DAY),
    **dict.fromkeys((".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico"), 7 * DAY),
    **dict.fromkeys((".woff", ".woff2", ".ttf", ".otf", ".eot"), 30 * DAY),
}
OTHERS = 60


def cache_control(name: str) -> str:
    """The header for a file of this name."""
    if HASHED.search(name):
        return FOR_EVER
    return f"public, max-age={BY_KIND.get(PurePosixPath(name).suffix.lower(), OTHERS)}"


def add_headers(headers: Headers, path: str, url: str) -> None:
    """WhiteNoise calls it for every file at start. While developing nothing is kept."""
    if not settings.DEBUG:
        headers["Cache-Control"] = cache_control(url)
    if settings.HMS_CDN_URL:
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # pages of ours load it from the CDN's origin
