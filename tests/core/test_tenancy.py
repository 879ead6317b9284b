"""No context, no rows; another's context, another's rows."""

import pytest
from django.db import ProgrammingError, connection, transaction

from clinics.models import Location, Room
from core.errors import ClinicScopeRequired
from core.tenancy.context import clinic_scope, platform_scope
from tests.factories.world import World


def test_without_a_scope_a_clinic_model_cannot_be_asked(world: World) -> None:
    with pytest.raises(ClinicScopeRequired):
        Location.objects.count()


def test_raw_sql_without_context_sees_nothing(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM clinics_location")
        assert cursor.fetchone() == (0,)


def test_each_clinic_sees_its_own(world: World) -> None:
    for place in (world.riverside, world.hillcrest):
        with clinic_scope(place.clinic, reason="test"):
            assert set(Location.objects.filter(is_active=True)) == set(place.locations)


def test_nested_scopes_do_not_leak(world: World) -> None:
    with clinic_scope(world.riverside.clinic, reason="outer"):
        with clinic_scope(world.hillcrest.clinic, reason="inner"):
            assert Location.objects.filter(is_active=True).count() == 2
        names = {location.clinic_id for location in Location.objects.all()}
        assert names == {world.riverside.clinic.pk}


def test_a_rolled_back_savepoint_does_not_lose_the_context(world: World) -> None:
    with clinic_scope(world.riverside.clinic, reason="test"):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Location.objects.count()
            raise ZeroDivisionError
        assert Location.objects.filter(is_active=True).count() == 2


def test_a_foreign_clinic_id_is_refused_by_the_database(world: World) -> None:
    with clinic_scope(world.riverside.clinic, reason="test"):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Location.objects.create(clinic=world.hillcrest.clinic, name="Smuggled")


def test_a_reference_into_another_clinic_is_refused(world: World) -> None:
    from django.db import IntegrityError

    with clinic_scope(world.riverside.clinic, reason="test"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Room.objects.create(location=world.hillcrest.locations[0], name="9")
            connection.check_constraints()


def test_the_platform_scope_sees_all(world: World) -> None:
    with platform_scope(reason="test"):
        assert Location.objects.filter(is_active=True).count() == 4
