from django.db import migrations, models

TABLES = {
    "accessevent": "clinic_id, at, event_id, user_id, route, method, status, address, request_id, why, reading",
    "accessedpatient": "clinic_id, patient_id, at, event_id",
}


def numbered(model, columns):
    """PostgreSQL numbers the rows; who serves may say everything but the number. What is there is numbered as it lies."""
    table, sequence, index = f"core_{model}", f"core_{model}_seq_seq", f"core_{model}_by_number"
    return migrations.SeparateDatabaseAndState(
        database_operations=[
            migrations.RunSQL(
                [
                    f"CREATE SEQUENCE {sequence}",
                    f"ALTER TABLE {table} ADD COLUMN seq bigint NOT NULL DEFAULT nextval('{sequence}')",
                    f"ALTER SEQUENCE {sequence} OWNED BY {table}.seq",
                    f"CREATE INDEX {index} ON {table} (clinic_id, seq)",
                    f"REVOKE INSERT ON {table} FROM hms_app, hms_platform",
                    f"GRANT INSERT ({columns}) ON {table} TO hms_app, hms_platform",
                ],
                [
                    f"REVOKE INSERT ({columns}) ON {table} FROM hms_app, hms_platform",
                    f"GRANT INSERT ON {table} TO hms_app, hms_platform",
                    f"ALTER TABLE {table} DROP COLUMN seq",
                ],
            )
        ],
        state_operations=[
            migrations.AddField(
                model_name=model,
                name="seq",
                field=models.BigIntegerField(
                    db_default=models.Func(
                        models.Value(sequence), function="nextval", output_field=models.BigIntegerField()
                    ),
                    editable=False,
                ),
            ),
            migrations.AddIndex(model_name=model, index=models.Index(fields=["clinic", "seq"], name=index)),
        ],
    )


class Migration(migrations.Migration):
    dependencies = [("core", "0013_break_glass")]

    operations = [
        migrations.AddField(
            model_name="seal",
            name="month",
            field=models.DateField(
                help_text="Of all its rows, which may be dropped with it. Empty: never.", null=True, verbose_name="month"
            ),
        ),
        *(numbered(model, columns) for model, columns in TABLES.items()),
    ]
