"""What is made of the signs of life: by health, metrics and the administration."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.accounts.roles import Role
from core.health import work
from core.health.checks import Status, Unwell
from core.metrics.ledgers import workers as figures
from core.workers.models import WorkerProcess
from core.workers.places import is_gone, machine_name, started
from core.workers.selectors import FORGOTTEN, seen_processes
from tests.factories.world import World


def process(name: str, *classes: str, ago: float = 1, pid: int = 7, **more: Any) -> WorkerProcess:
    now = timezone.now()
    given = {"machine": "m/1", "version": "v", "started_at": now, "resident": 2**20, "beat_at": now - timedelta(seconds=ago)}
    return WorkerProcess.objects.create(name=name, pid=pid, classes=list(classes), **given | more)


def trouble() -> Unwell:
    with pytest.raises(Unwell) as raised:
        work.workers()
    return raised.value


def test_health_names_who_is_silent() -> None:
    process("normal-1@m", "normal")
    assert [one["condition"] for one in work.workers()["processes"]] == ["well"]
    process("normal-2@m", "normal", ago=100, pid=8)
    found = trouble()
    assert (found.sentence, found.status) == ("No sign of life from: normal-2@m/8 (100 s).", Status.DEGRADED)
    process("bulk-3@m", "bulk", pid=9, idle_parent=70)
    found = trouble()
    assert found.sentence.endswith(" Celery stands still before: bulk-3@m/9 (70 s).") and found.status is Status.UNHEALTHY
    assert found.figures["not_well"] == 2


def test_after_an_hour_a_process_is_forgotten() -> None:
    process("normal-1@m", "normal", ago=FORGOTTEN.total_seconds() + 5)
    assert seen_processes() == [] and work.workers()["processes"] == []


def test_metrics_add_up_by_classes() -> None:
    process("normal-1@m", "normal", succeeded=3, resident=10)
    process("normal-1@m", "normal", succeeded=4, resident=30, ago=300)
    process("clock@m", pid=9)
    said = {one.name: one.values for one in figures()}
    assert said["hms_worker_jobs_succeeded"] == {("normal",): 7, ("clock",): 0}
    assert said["hms_worker_processes"] == {("normal",): 1, ("clock",): 1}
    assert said["hms_worker_processes_not_well"][("normal",)] == 1
    assert (said["hms_worker_resident_bytes"][("normal",)], said["hms_worker_resident_bytes_max"][("normal",)]) == (40, 30)


def test_the_administration_shows_them_to_the_platforms_roles_alone(world: World, sign_in: Any) -> None:
    process("normal-1@m", "normal", ago=200, pid=4711)
    page = reverse("admin:core_job_changelist")
    operator: Client = sign_in(world.platform[Role.SYSTEM_ADMIN])
    shown = operator.get(page).content.decode()
    assert "normal-1@m/4711" in shown and "silent" in shown
    clinics: Client = sign_in(world.riverside.users[Role.CLINIC_ADMIN], world.riverside.clinic)
    assert "normal-1@m" not in clinics.get(page).content.decode()


def test_a_process_id_that_another_process_has_by_now_is_gone() -> None:
    own = psutil.Process()
    assert not is_gone(own.pid, started(own))
    assert is_gone(own.pid, started(own) - timedelta(minutes=1))
    assert is_gone(2**22 + 1, datetime.now(UTC))
    assert machine_name().startswith(os.uname().nodename[:80])
