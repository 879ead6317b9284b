"""A clinic at work while its keys are renewed: some read and search, some change identity numbers; what each was told."""

import time
from typing import Any

from tests.chaos.load import PACE, Load
from tests.load.races import PASSWORD

PATIENTS = 1500
EMAIL = "desk@keys.test"


def identity_of(number: int) -> str:
    return f"ZX{number:06d}K"


def policy_of(number: int) -> str:
    return f"POL{number:08d}"


def seed() -> dict[str, Any]:
    """One clinic whose patients have both numbers; a tenth stands under the deployment's key, as before there were others."""
    from core.accounts.models import Membership, User
    from core.accounts.roles import Role
    from core.keys.memory import keys_to_write_with
    from core.security.crypto import encrypt
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic
    from patients.models import Patient, PatientToken
    from tests.factories.crowd import crowd, made_of

    clinic = Clinic.objects.create(slug="keys", name="Keys", time_zone="UTC", country="GB", currency="GBP", mrn_prefix="KY")
    user = User.objects.create_user(EMAIL, PASSWORD, full_name="Desk")
    with clinic_scope(clinic, reason="seed"):
        keys_to_write_with(clinic.pk)
    with clinic_scope(clinic, reason="seed"):
        Membership.objects.create(clinic=clinic, user=user, roles=[Role.RECEPTIONIST])
        people = crowd(clinic, PATIENTS)
        for number, person in enumerate(people):
            person.national_id, person.insurance_policy_number = identity_of(number), policy_of(number)
        Patient.objects.bulk_update(people, ["national_id", "insurance_policy_number"], batch_size=500)
        rows = [PatientToken(clinic_id=clinic.pk, patient=one, token=token) for one in people for token in made_of(clinic, one)]
        PatientToken.objects.bulk_create(rows, batch_size=10_000, ignore_conflicts=True)
        for number, person in list(enumerate(people))[::10]:
            old = encrypt(identity_of(number).encode(), context="patients_patient.national_id")
            Patient.objects.filter(pk=person.pk).update(national_id=old)
    return {"clinic": clinic.pk, "patients": [one.pk for one in people]}


class Desk(Load):
    """Patients with an even number are only read; those with an odd one get new numbers, one after the other."""

    def sign_in(self) -> None:
        status, answer = self._ask("sign-in", "POST", "/api/v2/auth/token", {"email": EMAIL, "password": PASSWORD})
        assert status == 200, answer
        self.token = answer["data"]["access"]
        self.wrong: list[str] = []
        self.now: dict[int, str] = {}
        self.turn = 0

    def _paths(self, readers: int) -> list[str]:
        return ["read", "find"][:readers] * (readers // 2)

    def _read(self, path: str) -> None:
        number = 0
        while not self._stop.is_set():
            number = (number + 2) % PATIENTS
            ident = self.seeded["patients"][number]
            if path == "read":
                status, answer = self._ask("read", "GET", f"/api/v2/patients/{ident}")
                found = answer.get("data", {}).get("national_id")
                if status == 200 and found != identity_of(number):
                    self.wrong.append(f"{number} has {found}")
            else:
                status, answer = self._ask("find", "POST", "/api/v2/patients/search", {"search": identity_of(number)})
                if status == 200 and [one["id"] for one in answer["data"]] != [ident]:
                    self.wrong.append(f"{number} was not found alone by its number")
            time.sleep(PACE)

    def _book(self, number: int) -> None:
        """What a writer does: changes identity numbers, from where the others of its kind don't."""
        turn = 0
        while not self._stop.is_set():
            place = (1 + 2 * (number + 4 * turn)) % PATIENTS
            turn += 1
            wanted = f"CH{number}{turn:06d}"
            path = f"/api/v2/patients/{self.seeded['patients'][place]}"
            if self._ask("write", "PATCH", path, {"national_id": wanted})[0] == 200:
                with self._lock:
                    self.now[place] = wanted
            time.sleep(PACE)
