"""Every named operation and every route, in a full database: PostgreSQL reaches each clinic's rows by an index that begins
with the clinic, under row-level security."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from clinics.models import Provider
from core.database.explain import Finding, explained, guarded_tables
from core.database.optimizer import NoSample, Profile, QueryOptimizer, Recorder, UnknownOperation, optimizer
from core.tenancy.context import clinic_scope
from core.tenancy.units import sees_only_what_is_committed
from patients.models import Patient
from tests.factories.crowded import crowded
from tests.factories.threads import apart
from tests.factories.visits import at, book
from tests.factories.world import Place, World
from tests.performance.test_query_budgets import READS, read

pytestmark = pytest.mark.thorough

OF_ANY_SIZE = ("sequential_scan", "no_index_condition")  # wrong however few rows are read; the rest counts where they are many


def faults(profile: Profile) -> list[str]:
    strict = [finding for finding in profile.findings(few_rows=0) if finding.code in OF_ANY_SIZE]
    return [str(finding) for finding in [*strict, *profile.findings()]]


def test_every_operation_and_every_route_reads_by_the_clinics_indexes(riverside: Place, world: World) -> None:
    wrong: dict[str, list[str]] = {}
    scans = 0
    with crowded(riverside):
        for name in optimizer.names():
            with clinic_scope(riverside.clinic, reason="test"):
                profile = optimizer.profile(name)
            assert profile.statements, name
            scans += _scans(profile)
            wrong[name] = faults(profile)
        for route in READS:
            recorder = Recorder()
            with recorder.on():
                read(route, riverside, world)
            profile = Profile(route.id, tuple(recorder.statements), most_repeats=1000)  # signing in for it repeats itself
            scans += _scans(profile)
            wrong[route.id] = faults(profile)
    assert scans > len(optimizer.names()) + len(READS)
    assert not any(wrong.values()), json.dumps({name: found for name, found in wrong.items() if found}, indent=1)


def _scans(profile: Profile) -> int:
    """How many times the profile's plans reach for rows of a clinic."""
    return sum(node.table in guarded_tables() for one in profile.statements if one.plan for node in one.plan.nodes)


# --- What a profile tells -------------------------------------------------------------------------------------------------
def test_a_queryset_is_profiled_with_what_it_prefetches(in_riverside: Place) -> None:
    profile = optimizer.profile_queryset(Provider.objects.prefetch_related("offers"), "test")
    providers, offers = profile.statements
    assert (providers.rows, offers.rows, profile.rows) == (3, 6, 9)
    assert providers.plan and providers.plan.analyzed and profile.milliseconds > 0
    assert any("clinics_provider" in line for line in providers.plan.lines())


def test_a_sequential_scan_is_found(riverside: Place) -> None:
    """A row-level policy keeps an operator that could leak from the index: ILIKE reads all of the clinic's."""
    with crowded(riverside), clinic_scope(riverside.clinic, reason="test"):
        whole = optimizer.profile_queryset(Patient.objects.filter(language="x"), "test")
        begun = optimizer.profile_queryset(Patient.objects.filter(family_norm="smith"), "test")
        with connection.cursor() as cursor, Recorder().on() as recorder:
            cursor.execute("SELECT count(*) FROM appointments_appointment WHERE notes LIKE %s", ["%secret%"])
            cursor.execute("SET LOCAL enable_indexscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SELECT count(*) FROM patients_patient WHERE family_norm = %s", ["Featherstone"])
    assert [f.code for f in whole.findings(few_rows=100)] == ["discards_rows"]
    assert begun.findings(few_rows=0) == []
    found = Profile("test", tuple(recorder.statements)).findings()
    assert {f.code for f in found} == {"sequential_scan", "discards_rows"}
    assert "patients_patient" in str(found[0])


def test_an_index_that_ignores_the_clinic_is_found(riverside: Place) -> None:
    with crowded(riverside):
        plan = explained(connection, "SELECT * FROM core_membership WHERE user_id = %s", [riverside.clinic.pk], analyze=False)
        assert plan.findings(few_rows=0) == []  # a person's own rows: the person is the key
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("CREATE INDEX planted ON patients_patient (notes)")
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = explained(connection, "SELECT notes FROM patients_patient ORDER BY notes", [], analyze=True)
    assert [finding.code for finding in plan.findings(few_rows=0)] == ["no_index_condition"]


def test_a_sort_that_went_to_disk_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64kB'")
    plan = explained(connection, "SELECT n FROM generate_series(1, 20000) n ORDER BY -n", [], analyze=True)
    assert "spilled" in {finding.code for finding in plan.findings()}


def test_no_value_of_a_statement_stands_in_its_plan(in_riverside: Place) -> None:
    sql, params = "SELECT id FROM patients_patient WHERE family_norm = %s AND phone > %s", ["o'quartermaine", "+4477"]
    plan = explained(connection, sql, params, analyze=True)
    text = "\n".join(plan.lines())
    assert "family_norm" in text and "quartermaine" not in text and "4477" not in text


def test_explaining_changes_nothing(in_riverside: Place) -> None:
    with connection.cursor() as cursor, Recorder().on() as recorder:
        cursor.execute("UPDATE clinics_provider SET name = 'Somebody'")
    (one,) = recorder.statements
    assert one.rows == 3 and one.plan and not one.plan.analyzed
    book(in_riverside, at(in_riverside, 3, 10))
    before = Patient.objects.count()
    profile = optimizer.profile("appointments.book")
    assert {statement.fingerprint.kind for statement in profile.statements} >= {"INSERT", "SELECT"}
    from appointments.models import Appointment

    assert (Appointment.objects.count(), Patient.objects.count()) == (1, before)


def test_repeated_statements_are_found(in_riverside: Place) -> None:
    own = QueryOptimizer()
    own.register("test.loop", lambda times: [Provider.objects.count() for _ in range(times)], lambda: {"times": 3})
    own.register("test.few", lambda: Provider.objects.count(), dict)
    assert [finding.code for finding in own.profile("test.loop").findings()] == ["repeated"]
    assert own.profile("test.few").findings() == []


def test_what_is_profiled_is_asked_of_the_source_and_no_cache(world: World) -> None:
    own, trusted = QueryOptimizer(), []
    own.register("test.cached", lambda: trusted.append(sees_only_what_is_committed()), dict)

    def work() -> None:
        with clinic_scope(world.riverside.clinic, reason="test"):
            trusted.append(sees_only_what_is_committed())
            own.profile("test.cached")

    apart(work)
    assert trusted == [True, False]


# --- Names ----------------------------------------------------------------------------------------------------------------
def test_a_name_is_given_once_and_known_or_refused() -> None:
    own = QueryOptimizer()
    own.register("test.one", list, dict)
    with pytest.raises(ValueError, match=r"test\.one already"):
        own.register("test.one", list, dict)
    with pytest.raises(UnknownOperation, match=r"no operation test\.two"):
        own.operation("test.two")


def test_an_empty_clinic_says_what_is_missing(hillcrest: Place) -> None:
    with clinic_scope(hillcrest.clinic, reason="test"):
        Patient.objects.update(phone="")
        with pytest.raises(NoSample, match="no patient with phone__gt"):
            optimizer.profile("patients.search.phone")
        with pytest.raises(NoSample, match="no visit"):
            optimizer.profile("appointments.detail")


# --- manage.py explain ----------------------------------------------------------------------------------------------------
def said(*arguments: str) -> str:
    out = StringIO()
    call_command("explain", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_shows_plans_without_a_patients_words(world: Any) -> None:
    text = said("patients.search", "--clinic", "riverside")
    assert "statements" in text and "patients_patient" in text and "ms" in text
    with clinic_scope(world.riverside.clinic, reason="test"):
        assert not [p.family_name for p in Patient.objects.all() if len(p.family_name) > 4 and p.family_name in text]


def test_the_command_lists_and_walks_all(world: Any) -> None:
    assert said().split() == optimizer.names()
    lines = said("--all", "--clinic", "riverside", "--check").splitlines()
    assert [line.split()[0] for line in lines] == optimizer.names()


def test_the_command_refuses_what_it_does_not_know(world: Any) -> None:
    with pytest.raises(CommandError, match="no clinic nowhere"):
        said("patients.list", "--clinic", "nowhere")
    with pytest.raises(CommandError, match="no operation"):
        said("patients.nothing", "--clinic", "riverside")


def test_findings_fail_the_command_when_asked(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Profile, "findings", lambda self: [Finding("spilled", "planted")])
    assert "spilled: planted" in said("patients.list", "--clinic", "riverside")
    with pytest.raises(CommandError, match="1 findings"):
        said("patients.list", "--clinic", "riverside", "--check")
