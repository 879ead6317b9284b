import django.db.models.deletion
from django.db import migrations, models

from core.audit.partitions import DROP, FUNCTIONS, MAKE
from core.tenancy.operations import RowLevelSecurity

READINGS = [
    ("view", "looked at"),
    ("list", "in a list"),
    ("search", "in a search"),
    ("print", "printed"),
    ("export", "taken out"),
]
EVENTS = """
CREATE TABLE core_accessevent (
    clinic_id uuid NOT NULL,
    at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    user_id uuid,
    route varchar(200) NOT NULL,
    method varchar(8) NOT NULL,
    status smallint NOT NULL,
    address varchar(45) NOT NULL,
    request_id varchar(64) NOT NULL,
    why varchar(300) NOT NULL,
    reading varchar(8) NOT NULL,
    PRIMARY KEY (clinic_id, at, event_id)
) PARTITION BY RANGE (at)
"""
PATIENTS = """
CREATE TABLE core_accessedpatient (
    clinic_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (clinic_id, patient_id, at, event_id)
) PARTITION BY RANGE (at)
"""
# A partition is reached through its table alone, whose policies then hold: in itself it belongs to nobody but the owner.
DEFAULTS = [
    statement
    for table in ("core_accessevent", "core_accessedpatient")
    for statement in (
        f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT",
        f"REVOKE ALL ON {table}_default FROM hms_app, hms_platform",
    )
]
RIGHTS = [
    statement
    for function in FUNCTIONS
    for statement in (
        f"REVOKE ALL ON FUNCTION public.{function} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION public.{function} TO hms_maintenance",
    )
]
FIRST_MONTHS = """
SELECT public.hms_make_access_month((date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead))::date)
FROM generate_series(0, 3) AS ahead
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0007_history")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL([EVENTS, PATIENTS, *DEFAULTS], ["DROP TABLE core_accessedpatient", "DROP TABLE core_accessevent"])
            ],
            state_operations=[
                migrations.CreateModel(
                    name="AccessEvent",
                    fields=[
                        ("pk", models.CompositePrimaryKey("clinic_id", "at", "event_id", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("at", models.DateTimeField(verbose_name="at")),
                        ("event_id", models.UUIDField(editable=False)),
                        ("user_id", models.UUIDField(null=True, verbose_name="person")),
                        ("route", models.CharField(help_text="The route's name, never an address.", max_length=200, verbose_name="route")),
                        ("method", models.CharField(max_length=8, verbose_name="method")),
                        ("status", models.PositiveSmallIntegerField(verbose_name="status")),
                        ("address", models.CharField(max_length=45, verbose_name="address")),
                        ("request_id", models.CharField(max_length=64, verbose_name="request")),
                        ("why", models.CharField(blank=True, max_length=300, verbose_name="why")),
                        ("reading", models.CharField(choices=READINGS, max_length=8, verbose_name="reading")),
                        ("clinic", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.clinic")),
                    ],
                    options={"verbose_name": "access event", "verbose_name_plural": "access events", "base_manager_name": "objects"},
                ),
                migrations.CreateModel(
                    name="AccessedPatient",
                    fields=[
                        ("pk", models.CompositePrimaryKey("clinic_id", "patient_id", "at", "event_id", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("patient_id", models.UUIDField()),
                        ("at", models.DateTimeField(verbose_name="at")),
                        ("event_id", models.UUIDField(editable=False)),
                        ("clinic", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.clinic")),
                    ],
                    options={"verbose_name": "accessed patient", "verbose_name_plural": "accessed patients", "base_manager_name": "objects"},
                ),
            ],
        ),
        RowLevelSecurity("AccessEvent", append_only=True),
        RowLevelSecurity("AccessedPatient", append_only=True),
        migrations.RunSQL(
            [MAKE, DROP, *RIGHTS, FIRST_MONTHS], [f"DROP FUNCTION public.{function}" for function in FUNCTIONS]
        ),
    ]
