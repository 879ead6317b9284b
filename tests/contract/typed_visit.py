"""A visit by the generated client, from sign-in to check-in: a program of an integrator's, held to `mypy --strict`."""

import sys
from datetime import date, timedelta
from http import HTTPStatus
from uuid import uuid4

from hms_client import AuthenticatedClient, Client
from hms_client.api.appointments import appointments_check_in, appointments_create, appointments_history_list
from hms_client.api.auth import auth_me_retrieve, auth_token_post
from hms_client.api.patients import patients_create, patients_search_posted
from hms_client.api.services import services_list
from hms_client.api.slots import slots_list
from hms_client.models import (
    AppointmentInputRequest,
    AppointmentOutput,
    AppointmentsCheckInResponse200,
    AppointmentsCreateResponse201,
    AppointmentsHistoryListResponse200,
    AuthMeRetrieveResponse200,
    AuthTokenPostResponse200,
    ErrorAnswer,
    NewPatientInputRequest,
    PatientOutput,
    PatientsCreateResponse201,
    PatientsSearchPostedResponse200,
    ReasonInputRequest,
    SearchInputRequest,
    ServicesListResponse200,
    SlotsListResponse200,
    TokenInputRequest,
)


def signed_in(url: str, email: str, password: str) -> AuthenticatedClient:
    answer = auth_token_post.sync(client=Client(url), body=TokenInputRequest(email=email, password=password))
    assert isinstance(answer, AuthTokenPostResponse200), answer
    return AuthenticatedClient(url, token=answer.data.access)


def registered(client: AuthenticatedClient, family_name: str) -> PatientOutput:
    found = patients_search_posted.sync(client=client, body=SearchInputRequest(search=family_name, limit=3))
    assert isinstance(found, PatientsSearchPostedResponse200), found
    assert family_name not in {one.family_name for one in found.data}
    person = NewPatientInputRequest(
        given_name="Typed", family_name=family_name, date_of_birth=date(1980, 5, 4), sex="female", accept_duplicate=True
    )
    made = patients_create.sync(client=client, body=person, idempotency_key=f"registration-{uuid4()}")
    assert isinstance(made, PatientsCreateResponse201), made
    return made.data


def wished(client: AuthenticatedClient, patient: PatientOutput) -> AppointmentInputRequest:
    services = services_list.sync(client=client, is_active=True)
    assert isinstance(services, ServicesListResponse200), services
    first = date.today() + timedelta(days=7)
    for service in services.data:
        slots = slots_list.sync(client=client, service=service.id, from_=first, to=first + timedelta(days=27))
        assert isinstance(slots, SlotsListResponse200), slots
        if slots.data:
            slot = slots.data[len(slots.data) // 2]
            return AppointmentInputRequest(
                patient=patient.id, service=service.id, provider=slot.provider.id, start=slot.start, location=slot.location.id
            )
    raise AssertionError("no service has a free slot within four weeks")


def booked(client: AuthenticatedClient, wish: AppointmentInputRequest) -> AppointmentOutput:
    key = f"booking-{uuid4()}"
    first, again = (appointments_create.sync_detailed(client=client, body=wish, idempotency_key=key) for _ in range(2))
    assert isinstance(first.parsed, AppointmentsCreateResponse201), first
    assert isinstance(again.parsed, AppointmentsCreateResponse201) and again.headers["Idempotency-Replayed"] == "true"
    assert again.parsed.data.id == first.parsed.data.id
    taken = appointments_create.sync_detailed(client=client, body=wish)
    assert taken.status_code is HTTPStatus.CONFLICT
    assert isinstance(taken.parsed, ErrorAnswer) and taken.parsed.error.code == "CONFLICT" and taken.parsed.error.alternatives
    return first.parsed.data


def main(url: str, email: str, password: str) -> None:
    client = signed_in(url, email, password)
    me = auth_me_retrieve.sync(client=client)
    assert isinstance(me, AuthMeRetrieveResponse200), me
    patient = registered(client, f"Client-{uuid4().hex[:8]}")
    visit = booked(client, wished(client, patient))
    step = appointments_check_in.sync_detailed(visit.id, client=client, body=ReasonInputRequest(), if_match='"99-ab"')
    assert step.status_code is HTTPStatus.PRECONDITION_FAILED, step
    arrived = appointments_check_in.sync(visit.id, client=client, body=ReasonInputRequest())
    assert isinstance(arrived, AppointmentsCheckInResponse200) and arrived.data.status == "checked_in", arrived
    history = appointments_history_list.sync(visit.id, client=client)
    assert isinstance(history, AppointmentsHistoryListResponse200), history
    sys.stdout.write(f"{me.data.email} {visit.patient.mrn} {' '.join(one.to_status for one in history.data)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:4])
