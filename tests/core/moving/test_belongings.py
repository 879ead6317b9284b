"""Every table either comes along with a clinic or is named among those that stay."""

from django.apps import apps
from django.db.models import ForeignKey

from core.moving.belongings import COME, REWRITTEN, STAY, models_that_come

# Django's own, which hold nothing of a clinic's.
DJANGOS = {"django_admin_log", "auth_permission", "auth_group", "django_content_type", "django_session"}


def test_every_table_comes_or_has_a_reason_to_stay() -> None:
    coming = {model._meta.db_table for model in models_that_come()}
    everything = {model._meta.db_table for model in apps.get_models()}
    assert everything - coming - STAY.keys() == DJANGOS, "say in core/moving/belongings.py whether it comes along with a clinic"
    assert not coming & STAY.keys()
    assert {model._meta.db_table for model in apps.get_models() if getattr(model, "table_kind", "") == "clinic"} - coming == {
        "core_seal"
    }
    assert everything >= STAY.keys() | COME.keys() | REWRITTEN.keys()


def test_what_comes_refers_to_nothing_that_stays() -> None:
    coming = models_that_come()
    for place, model in enumerate(coming):
        for one in model._meta.local_concrete_fields:
            if isinstance(one, ForeignKey) and one.related_model is not model:
                assert one.related_model in coming[:place], f"{model.__name__}.{one.name}"


def test_rewritten_columns_exist() -> None:
    by_table = {model._meta.db_table: model for model in models_that_come()}
    for table, columns in REWRITTEN.items():
        assert columns.keys() <= {one.column for one in by_table[table]._meta.local_concrete_fields}, table
