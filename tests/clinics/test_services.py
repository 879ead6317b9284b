"""Furnishing a clinic."""

from typing import Any

import pytest

from clinics import selectors, services
from clinics.models import ClinicSettings
from core.accounts.roles import Role
from core.errors import NotAllowed, PreconditionFailed, ValidationFailed
from tests.factories.world import Place


def refused(error: pytest.ExceptionInfo[Any]) -> dict[str, str]:
    return {detail.field: detail.code for detail in error.value.details}


def test_a_record_may_be_given_instead_of_its_id(in_riverside: Place) -> None:
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    department = services.create_department(actor=actor, data={"name": " Skin "})
    assert department.name == "Skin"
    data = {"name": "Dr Ada Moss", "department": department, "user": in_riverside.users[Role.DOCTOR]}
    provider = services.create_provider(actor=actor, data=data)
    assert (provider.department_id, provider.user_id) == (department.pk, in_riverside.users[Role.DOCTOR].pk)
    same = services.update_provider(actor=actor, provider_id=provider.pk, changes={"department": str(department.pk)})
    assert same.version == 1
    gone = services.update_provider(actor=actor, provider_id=provider.pk, changes={"department": None, "user": None})
    assert (gone.department_id, gone.user_id, gone.version) == (None, None, 2)


def test_what_is_needed_is_named(in_riverside: Place) -> None:
    with pytest.raises(ValidationFailed) as error:
        services.create_room(actor=in_riverside.actor(Role.CLINIC_ADMIN), data={"location": None, "size": 3})
    assert refused(error) == {"location": "invalid", "name": "required", "size": "unknown_field"}


def test_a_receptionist_does_not_furnish(in_riverside: Place) -> None:
    with pytest.raises(NotAllowed):
        services.create_location(actor=in_riverside.actor(Role.RECEPTIONIST), data={"name": "Mine"})


def test_red_comes_after_amber(in_riverside: Place) -> None:
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    changed = services.update_settings(actor=actor, changes={"wait_late_minutes": 40}, expected_version=1)
    assert (changed.wait_warn_minutes, changed.wait_late_minutes, changed.version) == (15, 40, 2)
    with pytest.raises(ValidationFailed) as error:
        services.update_settings(actor=actor, changes={"wait_warn_minutes": 40})
    assert refused(error) == {"wait_late_minutes": "out_of_order"}
    with pytest.raises(ValidationFailed) as error:
        services.update_settings(actor=actor, changes={"wait_warn_minutes": 0, "wait_late_minutes": True})
    assert refused(error) == {"wait_warn_minutes": "min_value", "wait_late_minutes": "invalid"}
    with pytest.raises(PreconditionFailed):
        services.update_settings(actor=actor, changes={}, expected_version=1)
    assert ClinicSettings.objects.count() == 1


def test_what_is_in_use_is_offered(in_riverside: Place) -> None:
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    harbour = in_riverside.locations[1]
    services.update_location(actor=actor, location_id=harbour.pk, changes={"is_active": False})
    nurse = in_riverside.actor(Role.NURSE)
    assert [location.name for location in selectors.locations_in_use(actor=nurse)] == ["Main street"]
    assert {room.location_id for room in selectors.rooms_in_use(actor=nurse)} == {in_riverside.locations[0].pk}
    assert len(selectors.providers_in_use(actor=nurse)) == 3
    assert [department.name for department in selectors.departments_in_use(actor=nurse)] == ["General practice"]
    assert selectors.clinic_settings(actor=nurse).wait_warn_minutes == 15
