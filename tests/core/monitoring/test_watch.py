"""A real server that watches itself: its database or its workers are away, and people are told all the same."""

import hashlib
import hmac
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from core.database.embedded import EmbeddedPostgres
from core.monitoring.watch import Watch
from tests.factories.databases import pids_of
from tests.factories.endpoints import Endpoint, Taken, endpoints
from tests.factories.letters import Letterbox, smtp_server
from tests.factories.patience import eventually
from tests.factories.server import Server, serving

PATIENCE = 120.0  # seconds: looks are ten seconds apart, a rule waits fifteen, and a machine may be busy
SECRET = "s" * 40


def seed() -> None:
    """An operator, whose address the server has to know while the database is away. Of that they are told each time."""
    from core.accounts.models import User
    from core.accounts.roles import Role
    from core.monitoring.models import AlertRule

    User.objects.create_user("on-call@hms.test", "Correct-Horse-2026", full_name="On Call", platform_role=Role.SYSTEM_ADMIN)
    AlertRule.objects.filter(name="database-away").update(quiet_minutes=0)


@dataclass
class Stage:
    server: Server
    postgres: EmbeddedPostgres
    hook: Endpoint
    mail: Letterbox

    def told(self, event: str, rule: str, subject: str = "") -> list[dict[str, Any]]:
        """What the webhook was told of it, by then."""
        said = [json.loads(one.body) for one in self.hook.taken]
        return [one for one in said if (one["event"], one["rule"], one["subject"]) == (event, rule, subject)]

    def rows(self, sql: str) -> list[Any]:
        with psycopg.connect(self.postgres.url("postgres", self.server.database)) as connection:
            return connection.execute(sql.encode()).fetchall()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="hms-watch-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(folder / "postgres")
    try:
        with endpoints(1) as (hook,), smtp_server() as mail:
            variables = {
                "HMS_VAR_DIR": str(folder),
                "HMS_SPOOL_DIR": str(folder / "spool"),
                "DATABASE_URL": "",
                "HMS_ALERTS": "1",
                "HMS_ALERT_WEBHOOK_URL": hook.url,
                "HMS_ALERT_WEBHOOK_SECRET": SECRET,
                "EMAIL_HOST": "127.0.0.1",
                "EMAIL_PORT": str(mail.port),
                "EMAIL_USE_TLS": "false",
            }
            with serving("watch", seed=seed, static=False, variables=variables) as server:
                yield Stage(server, postgres, hook, mail)
    finally:
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.server
def test_workers_that_are_not_there(stage: Stage) -> None:
    eventually(lambda: stage.told("alert.raised", "unhealthy", "clock"), PATIENCE)
    (row,) = stage.rows("SELECT server, severity, resolved_at FROM core_alert WHERE subject = 'clock'")
    assert row == ("", "critical", None)
    eventually(lambda: stage.rows("SELECT kind FROM core_notification") or not stage.rows("SELECT id FROM core_clinic"), PATIENCE)
    assert is_signed(next(one for one in stage.hook.taken if b"clock" in one.body))
    eventually(lambda: any("clock" in one["subject"] for one in stage.mail.arrived), PATIENCE)
    assert {one["to"] for one in stage.mail.arrived} == {"on-call@hms.test"}


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stalled"])
def test_a_database_that_is_away(stage: Stage, how: signal.Signals) -> None:
    eventually(lambda: stage.rows("SELECT id FROM core_metricsample"), PATIENCE)
    raised, resolved = ("alert.raised", "database-away", "database"), ("alert.resolved", "database-away", "database")
    before, letters = len(stage.told(*raised)), len(stage.mail.arrived)
    hurt = pids_of(stage.postgres)
    for pid in hurt:
        os.kill(pid, how)
    try:
        eventually(lambda: len(stage.told(*raised)) > before, PATIENCE)
        eventually(lambda: any("database-away" in one["subject"] for one in stage.mail.arrived[letters:]), PATIENCE)
    finally:
        if how == signal.SIGSTOP:
            for pid in hurt:
                os.kill(pid, signal.SIGCONT)
        else:
            stage.postgres.ensure_running()
    eventually(lambda: len(stage.told(*resolved)) > before, PATIENCE)
    written = "SELECT raised_at < resolved_at, told_at IS NOT NULL FROM core_alert WHERE subject = 'database' ORDER BY raised_at"
    eventually(lambda: len(stage.rows(written)) > before, PATIENCE)
    assert stage.rows(written) == [(True, True)] * (before + 1), "one alert for each outage"
    assert len(stage.told(*raised)) == before + 1


def is_signed(taken: Taken) -> bool:
    moment, mark = taken.headers["HMS-Signature"].split(",")
    signed = moment.removeprefix("t=").encode() + b"." + taken.body
    return hmac.compare_digest(mark.removeprefix("v1="), hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest())


def test_a_look_takes_samples_and_judges() -> None:
    from django.utils import timezone

    from core.monitoring.models import MetricSample

    watch = Watch("here")
    watch.look(timezone.now())
    assert MetricSample.objects.filter(series="memory_percent", resolution=1).count() == 1
    assert len(watch.rules) == 12
    assert settings.HMS_OPERATORS == []
