"""Whoever forgets to plan a relation pays one query for the whole list: true of every model, whoever made it."""

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models.fetch_modes import FETCH_PEERS

from appointments.models import Service, ServiceProvider
from clinics.models import Provider
from core.database import fetching
from core.database.detector import Detector
from tests.factories.world import Place, World

EVERY_MODEL = apps.get_models(include_auto_created=True)


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: model._meta.label)
def test_every_queryset_fetches_for_all_rows_at_once(model: type[models.Model], in_riverside: Place) -> None:
    managers = {*model._meta.managers, model._default_manager, model._base_manager}
    assert {manager.all()._fetch_mode for manager in managers} == {FETCH_PEERS}
    assert model()._state.fetch_mode is FETCH_PEERS
    assert model._base_manager.all().only("pk").filter()[:5]._fetch_mode is FETCH_PEERS


def test_rows_of_a_related_manager_share_their_fetches(in_riverside: Place) -> None:
    new = Service(name="Quite new", duration_minutes=10)
    new.save()
    for provider in in_riverside.providers:
        ServiceProvider.objects.create(service=new, provider=provider)
    for service in (new, Service.objects.get(pk=new.pk)):
        with Detector().on(connection) as counted:
            assert len({offer.provider.name for offer in service.offers.all()}) == 3
        assert counted.count == 2


def test_prefetched_rows_share_their_fetches(in_riverside: Place) -> None:
    with Detector().on(connection) as counted:
        for provider in Provider.objects.prefetch_related("offers"):
            assert {offer.service.name for offer in provider.offers.all()}
    assert counted.count == 3


def test_djangos_own_models_too(world: World) -> None:
    kind = ContentType.objects.get_for_model(Provider)
    for user in world.platform.values():
        LogEntry.objects.create(user=user, content_type=kind, object_id="1", object_repr="x", action_flag=CHANGE)
    with Detector().on(connection) as counted:
        assert len({entry.user.email for entry in LogEntry.objects.all()}) == len(world.platform)
    assert counted.count == 2


def test_a_django_without_the_constants_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "DEFAULTS", ((fetching.query, "NO_SUCH_CONSTANT"),))
    with pytest.raises(RuntimeError, match="NO_SUCH_CONSTANT is gone"):
        fetching.fetch_peers_by_default()
