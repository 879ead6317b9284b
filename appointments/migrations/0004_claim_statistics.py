"""A claim's resource says its clinic and its kind.

Taken as independent, the three make PostgreSQL expect one row and read all of a resource's claims, past ones too, through
the index of the overlap constraint, which knows nothing of the end of a claim.
"""

from django.db import migrations

CREATE = """
CREATE STATISTICS appointments_claim_resource (dependencies) ON clinic_id, resource_kind, resource_id FROM appointments_claim
"""


class Migration(migrations.Migration):

    dependencies = [("appointments", "0003_claims_by_resource")]

    operations = [migrations.RunSQL(CREATE, "DROP STATISTICS appointments_claim_resource")]
