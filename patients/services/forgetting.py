"""What of an anonymised patient only maintenance may remove, after the commit. Killed anywhere, it is repeated."""

from typing import Any
from uuid import UUID

import psycopg
from django.db import connection as serving
from django.db.models import Model
from psycopg import sql
from psycopg.types.json import Jsonb

from core.accounts.forgetting import forget_account
from core.anonymity import fate_of
from core.database.roles import connection_apart
from core.drafts.services import forget_drafts
from core.history.erasing import erase_history_in
from core.idempotency.forgetting import forget_answers
from core.messaging.forgetting import forget_messages
from core.messaging.models import PatientMessage
from core.tenancy.context import clinic_scope
from core.tenancy.models import Record
from core.uploads.store import destroy
from patients.choices import AnonymisingState
from patients.models import Anonymisation, Document, Patient, PatientToken
from patients.selectors.everything import ids_about

# xid: the transaction that anonymised, as the history kept it.
PENDING = """
SELECT a.patient_id, a.kind, a.by_id, a.counts, a.left, (
    SELECT c.xid FROM core_change c WHERE c.clinic_id = a.clinic_id AND c.row_id = a.id AND c.operation = 'insert')
FROM patients_anonymisation a
WHERE a.clinic_id = %s AND a.id = %s AND a.state = 'pending' FOR UPDATE OF a
"""
DONE = """
UPDATE patients_anonymisation SET state = %s, done_at = now(), counts = %s, "left" = '{}' WHERE clinic_id = %s AND id = %s
"""
OPENS_A_RECORD = "SELECT EXISTS (SELECT FROM patients_patientaccount WHERE user_id = %s)"
NOT_IN_HISTORY = (Anonymisation, PatientToken)  # the first is to be known; the second has none


def pending_anonymisations() -> list[UUID]:
    """Those of the scope's clinic of which something is left to do, oldest first. One query."""
    rows = Anonymisation.objects.filter(state=AnonymisingState.PENDING).order_by("at", "id")
    return list(rows.values_list("pk", flat=True))


def finish_anonymisation(*, clinic_id: UUID, anonymisation_id: UUID) -> bool:
    """Remove what is left. False when nothing was: it is done already, or somebody does it at this moment.

    Files go first, then one transaction takes the rest and notes that it is done: killed anywhere, it is repeated. What came in
    after the record was anonymised, from requests that were under way, goes too. Raises DatabaseNotFit without the role's URL.
    """
    with clinic_scope(clinic_id, reason="anonymise"), connection_apart("hms_maintenance") as connection, connection.transaction():
        found = connection.execute(PENDING, [clinic_id, anonymisation_id]).fetchone()
        if found is None:
            return False
        patient_id, kind, by_id, counts, left, xid = found
        connection.execute("SELECT set_config('hms.user_id', %s, true)", [str(by_id or "")])
        counts |= _Rest(connection, clinic_id, patient_id, by_id, f"anonymised: {kind}").remove(left, xid)
        done = (AnonymisingState.DONE.value, Jsonb(counts), clinic_id, anonymisation_id)
        connection.execute(DONE, done)
    return True


class _Rest:
    """One patient's; each part says what it touched as table -> rows."""

    def __init__(
        self, connection: psycopg.Connection[Any], clinic_id: UUID, patient_id: UUID, by_id: UUID | None, reason: str
    ) -> None:
        self.connection, self.clinic_id, self.patient_id = connection, clinic_id, patient_id
        self.by_id, self.reason = by_id, reason

    def remove(self, left: dict[str, list[str]], xid: int) -> dict[str, int]:
        about = ids_about(self.patient_id)
        late = [str(one) for one in Document.objects.filter(pk__in=about[Document]).values_list("stored", flat=True) if one]
        files = {*left.get("files", ()), *late}
        for stored in files:
            destroy(self.clinic_id, UUID(stored))
        counts = {model._meta.db_table: count for model, ids in about.items() if (count := self._clear(model, ids))}
        ids = [UUID(str(pk)) for model, found in about.items() if model not in NOT_IN_HISTORY for pk in found]
        counts["core_draft"] = forget_drafts(self.connection, clinic_id=self.clinic_id, about=ids)
        counts["core_outgoingmessage"] = forget_messages(self.connection, left.get("messages", []), about[PatientMessage])
        counts["core_idempotencyrecord"] = forget_answers(
            self.connection, clinic_id=self.clinic_id, patient_id=self.patient_id, except_xid=xid
        )
        counts["core_user"] = sum(self._forget(UUID(user)) for user in left.get("users", ()))
        erased = [*ids, *(UUID(pk) for pk in left.get("accounts", ()))]
        counts["core_change"] = erase_history_in(
            self.connection, clinic_id=self.clinic_id, row_ids=erased, reason=self.reason, user_id=self.by_id
        )
        return {name: count for name, count in {**counts, "files": len(files)}.items() if count}

    def _clear(self, model: type[Model], ids: list[Any]) -> int:
        """The columns that aren't as they should be yet: of lines that the application never alters, and of late ones."""
        fate = fate_of(model)
        if fate is None or fate.removed or not fate.values or not ids or model is Patient:
            return 0
        fields = {one.name: one for one in model._meta.local_concrete_fields}
        columns = [sql.Identifier(str(fields[name].column)) for name in fate.values]
        values = [sql.Literal(fields[name].get_db_prep_save(value, serving)) for name, value in fate.values.items()]
        pairs = list(zip(columns, values, strict=True))
        sets: list[sql.Composable] = [sql.SQL("{} = {}").format(*pair) for pair in pairs]
        if issubclass(model, Record):
            sets.append(sql.SQL("version = version + 1, updated_at = now()"))
        differs: list[sql.Composable] = [sql.SQL("{} IS DISTINCT FROM {}").format(*pair) for pair in pairs]
        statement = sql.SQL("UPDATE {table} SET {sets} WHERE clinic_id = %s AND id = ANY(%s) AND ({differs})").format(
            table=sql.Identifier(model._meta.db_table), sets=sql.SQL(", ").join(sets), differs=sql.SQL(" OR ").join(differs)
        )
        return self.connection.execute(statement, [self.clinic_id, ids]).rowcount

    def _forget(self, user_id: UUID) -> bool:
        (opens,) = self.connection.execute(OPENS_A_RECORD, [user_id]).fetchone() or (True,)
        return not opens and forget_account(self.connection, user_id, reason=self.reason, by=self.by_id)
