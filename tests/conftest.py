"""The ground under every test: a real PostgreSQL with HMS's own roles, two clinics, and a person of every role."""

import os
import pickle
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import pytest

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's loop runs in the test's thread

from django.conf import settings
from django.core.management import call_command
from django.http import HttpRequest
from django.test import Client, override_settings

from core.accounts.entry import enter
from core.accounts.proofs import note_proved
from core.audit.draining import spool, spool_folder
from core.cache.process import generations
from core.database.roles import become
from core.security import blocking
from core.security.limiting.rates import RATE_VARIABLES
from core.tenancy.context import clinic_scope
from core.tenancy.limits import Limits
from hms import views
from tests.architecture.catalogue import connected
from tests.factories import statements
from tests.factories.leftovers import leftovers
from tests.factories.logbook import logbook
from tests.factories.patience import UNHURRIED
from tests.factories.server import Server, serving
from tests.factories.world import Place, World, build_world

PASSWORD = "Correct-Horse-2026"


# Every test asks as a few people from one address: limits that no test reaches, here and in the servers that tests start.
NEVER_REACHED = "100000/m"
LAST_SECOND = 50  # of a day in which a test may begin


def pytest_configure(config: pytest.Config) -> None:
    for name in RATE_VARIABLES:
        setattr(settings, name, os.environ.setdefault(name, NEVER_REACHED))
    blocking.REST = views.KEPT = 0.0  # a test sees at once what it has changed
    # A machine that stands still for a moment fails no example.
    hypothesis.settings.register_profile("hms", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    hypothesis.settings.load_profile("hms")
    statements.watch()
    logbook.open()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # speed; Argon2 has a test of its own
    settings.HMS_CACHE_GUARD = "raise"
    settings.HMS_KEYS_KEPT = 24 * 3600  # statements are counted in a process that has read the clinics' keys
    settings.HMS_TIME_LIMITS = dict.fromkeys(settings.HMS_TIME_LIMITS, Limits())  # a busy machine fails no test
    settings.STATIC_ROOT = settings.VAR_DIR / "static-of-tests"  # empty: what `make demo` has collected changes no test
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    generations.path = generations.path.with_name(f"cache-generations-of-tests-{worker}")  # what others touch is no news here
    Client._login = _enters  # type: ignore[method-assign]
    if not hasattr(config, "workerinput"):  # once, before the workers start
        call_command("setup_database", verbosity=0)


def _enters(client: Client, user: Any, backend: Any = None) -> None:
    """`force_login` goes in by HMS's own door: without one of its sessions nobody is signed in."""
    request: Any = HttpRequest()
    request.session = client.session
    enter(request, user)
    note_proved(request)
    request.session.save()
    client._set_login_cookies(request)  # type: ignore[attr-defined]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.django_db(databases=["default", "platform"]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What a test calls today is one day: none begins in the last seconds of it, anywhere in the tests' clinics."""
    for zone in ("UTC", "Europe/London", "America/New_York"):
        now = datetime.now(ZoneInfo(zone))
        if (now.hour, now.minute) == (23, 59) and now.second >= LAST_SECOND:
            time.sleep(60 - now.second)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """A test fails when one of its requests repeats a statement or asks while it renders, or when a patient's name or number
    gets into the log, whatever it asserts itself."""
    statements.take()
    logbook.found()
    result = yield
    if found := statements.take() + logbook.found():
        pytest.fail("\n".join(found), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    """Between two files nothing stays that the first one's tests have committed."""
    result = yield
    if nextitem is not None and nextitem.path != item.path:
        leftovers.clear()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """HMS_REQUIRE_ALL=1: a test that is left out because a program is missing ("needs ...") fails instead."""
    report = yield
    if report.skipped and os.environ.get("HMS_REQUIRE_ALL") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith("needs "):
            report.outcome, report.longrepr = "failed", f"HMS_REQUIRE_ALL is set and this test {reason}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run in which nothing was tried is no success: when all its workers die, the run would end with 0."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    if session.exitstatus == pytest.ExitCode.OK and not any(reporter.stats.get(name) for name in ("passed", "skipped")):
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The owner makes the test database."""
    become("hms_owner")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The application's role runs the tests; the owner takes the database away again."""
    become("hms_app")
    become("hms_platform", "platform")
    leftovers.note()
    yield
    with django_db_blocker.unblock():
        become("hms_owner", "platform")
        become("hms_owner")


@pytest.fixture(scope="session", autouse=True)
def uploads_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests upload goes to a folder of this run, also in the servers it starts."""
    folder = str(tmp_path_factory.mktemp("uploads"))
    os.environ["HMS_UPLOADS_DIR"] = folder
    own = {"BACKEND": "core.uploads.storage.PrivateFolder", "OPTIONS": {"location": folder}}
    with override_settings(STORAGES={**settings.STORAGES, "uploads": own}):
        yield


@pytest.fixture(scope="session", autouse=True)
def spool_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """So do the events of the access log; nothing drains them but the test that looks at them."""
    folder = tmp_path_factory.mktemp("spool")
    os.environ["HMS_SPOOL_DIR"] = settings.HMS_SPOOL_DIR = str(folder)
    spool.folder = spool_folder()


@pytest.fixture(scope="session")
def built_world(django_db_setup: None, django_db_blocker: Any) -> bytes:
    """The world's rows are committed once for the whole run."""
    with django_db_blocker.unblock():
        built = pickle.dumps(build_world(PASSWORD))
    leftovers.note()
    return built


@pytest.fixture
def world(built_world: bytes) -> World:
    """Riverside and Hillcrest: each test has its own copy, and its changes of their rows are rolled back."""
    copy: World = pickle.loads(built_world)  # noqa: S301 these bytes are ours
    return copy


@pytest.fixture
def seals_apart(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What the test's commands seal is taken away after it; their anchors go to this folder."""
    monkeypatch.setattr(settings, "HMS_AUDIT_ANCHORS_DIR", tmp_path)
    yield tmp_path
    with connected("postgres") as connection:
        connection.execute("DELETE FROM core_seal")
        connection.commit()


@pytest.fixture
def riverside(world: World) -> Place:
    return world.riverside


@pytest.fixture
def hillcrest(world: World) -> Place:
    return world.hillcrest


@pytest.fixture
def in_riverside(riverside: Place) -> Iterator[Place]:
    """Code of the test runs inside Riverside's scope."""
    with clinic_scope(riverside.clinic, reason="test"):
        yield riverside


@pytest.fixture
def sign_in(client: Client) -> Any:
    """sign_in(user, clinic=None) -> a client signed in by session."""

    def signed_in(user: Any, clinic: Any = None) -> Client:
        own = Client()
        own.force_login(user)
        if clinic is not None:
            session = own.session
            session["clinic_id"] = str(clinic.pk)
            session.save()
        return own

    return signed_in


@pytest.fixture
def api() -> Any:
    """api(user, clinic=None) -> an ApiClient with a bearer token."""
    from tests.factories.api_client import ApiClient

    return ApiClient


@pytest.fixture(scope="session")
def server(django_db_setup: None, worker_id: str) -> Iterator[Server]:
    """HMS with the demo's data behind gunicorn, for tests that need a browser or a socket. One for the whole run."""
    variables = UNHURRIED | {"HMS_DEMO": "1", "HMS_TRUSTED_PROXIES": "1"}  # a test may call from any address, by X-Forwarded-For
    key = ["api_key", "create", "--name=Laboratory system", "--scopes=patient:view,document:create"]
    keys = [[*key, f"--clinic={clinic}"] for clinic in ("riverside", "hillcrest")]
    since = os.environ.get("HMS_TEST_SEEDED_AT")  # a run that goes past midnight has the day of yesterday evening
    seed = ["seed_demo", *([f"--now={since}"] if since else [])]
    with serving(f"served_{worker_id}", commands=[seed, *keys], variables=variables) as running:
        yield running
