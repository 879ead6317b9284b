"""How long caches may keep a static file, and where it may come from."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as installed
from django.test import Client
from whitenoise.middleware import WhiteNoiseMiddleware

from core.static_files.headers import cache_control

KINDS = [
    ("/static/css/hms.4e8995291786.css", "public, max-age=31536000, immutable"),
    ("/static/css/hms.css", "public, max-age=86400"),
    ("/static/js/frame.js", "public, max-age=86400"),
    ("/static/icons/icons.svg", "public, max-age=604800"),
    ("/static/fonts/inter.WOFF2", "public, max-age=2592000"),
    ("/static/hms.html", "public, max-age=60"),
    ("/static/css/hms.4e8995.css", "public, max-age=86400"),
]


@pytest.mark.parametrize(("name", "said"), KINDS)
def test_each_kind_is_kept_for_its_time(name: str, said: str) -> None:
    assert cache_control(name) == said


def test_a_server_says_so() -> None:
    answer = served("/static/css/tokens.css")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    assert "Access-Control-Allow-Origin" not in answer


def served(path: str) -> Any:
    """The answer of a server that has just started, which reads the files' own folder as a developer's does."""
    with_files = WhiteNoiseMiddleware(lambda request: None)
    with_files.autorefresh = with_files.use_finders = True
    request = Client().get("/health").wsgi_request
    request.path_info = path
    return with_files(request)


SHOW = """
import django; django.setup()
from django.conf import settings
from django.templatetags.static import static
from django.test import Client
print(static("css/hms.css"), static("icons/icons.svg"), static("admin/css/base.css"))
settings.ALLOWED_HOSTS = ["*"]
print(Client().get("/no-such-page/").headers["Content-Security-Policy"])
from tests.core.static_files.test_headers import served
answer = served("/static/css/tokens.css")
print(answer.headers.get("Cross-Origin-Resource-Policy"), answer.headers.get("Access-Control-Allow-Origin"))
"""


def under(**variables: str) -> list[str]:
    """What an installation with these variables says."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "hms.settings", **variables}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=installed.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_network_passes_files_on_and_the_policy_names_its_origin_for_nothing_else() -> None:
    files, policy, leave = under(HMS_CDN_URL="https://cdn.example.org/hms/")
    sheet, icons, admin = files.split()
    assert sheet.startswith("https://cdn.example.org/hms/static/css/hms.")
    assert icons.startswith("/static/icons/icons."), "browsers take parts of drawings from the page's own origin alone"
    assert admin.startswith("https://cdn.example.org/hms/static/admin/")
    directives = dict(one.strip().partition(" ")[::2] for one in policy.split(";"))
    with_cdn = {name for name, sources in directives.items() if "https://cdn.example.org" in sources.split()}
    assert with_cdn == {"script-src", "style-src", "font-src", "img-src"}
    assert directives["default-src"] == "'self'"
    assert leave == "cross-origin *"


def test_a_network_that_is_switched_off_is_not_named() -> None:
    files, policy, leave = under(HMS_CDN_URL="https://cdn.example.org", HMS_CDN_ENABLED="false")
    assert "cdn" not in files + policy
    assert leave == "None None"
