"""Patients for machines: list, find, register, change, consents."""

from functools import partial
from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts.actor import Actor
from core.api.filters import choice_filter, date_parameter, instant_parameter, one_or_more, query, text_parameter
from core.api.pagination import MAX_ROWS, KeysetPagination, bad_parameter
from core.api.views import ClinicViewSet
from core.audit.subjects import shown
from core.cache import TTL
from core.errors import NotFound
from core.security.limiting.classes import RouteClass
from core.validators import Problems, clean_phone
from patients import services
from patients.api import serializers as shapes
from patients.api.names import flat, named_as_sent
from patients.choices import CLOSED, PatientStatus
from patients.errors import RecordRestricted
from patients.models import Consent, Patient, PatientAccount
from patients.policies import visible_patients
from patients.querysets import PatientQuerySet
from patients.selectors import duplicates_of, search_patients

WITHHELD = {"phone", "date_of_birth"}  # filters that ask for what a restricted record withholds
SEARCHED = {"type": "string", "maxLength": 200}


@extend_schema_view(
    create=extend_schema(request=shapes.NewPatientInput, responses={201: shapes.PatientOutput}),
    partial_update=extend_schema(request=shapes.PatientInput, responses=shapes.PatientOutput),
)
class PatientsView(ClinicViewSet):
    resource = "patient"
    model = Patient
    also_reads = (PatientAccount,)
    kept = TTL.PATIENT
    output = shapes.PatientOutput
    list_output = shapes.PatientSummary
    list_actions = frozenset({"list", "search", "search_posted"})
    orderings = {
        "name": ("family_norm", "given_norm"),
        "created": (),
        "updated": ("updated_at",),
        "date_of_birth": ("date_of_birth",),
        "mrn": ("mrn",),
    }
    default_ordering = "name"
    filters = (
        query("search", SEARCHED, "What one would type into the search box. Ranked, best first; no cursor, page or ordering."),
        query("mrn", {"type": "string", "maxLength": 24}, "The whole number, as RV-0000123."),
        query("phone", {"type": "string", "maxLength": 40}, "The whole number, as people write it."),
        query("date_of_birth", OpenApiTypes.DATE, "YYYY-MM-DD."),
        query(
            "status", one_or_more(PatientStatus.values), "One or more, separated by commas. Without it: all but merged, anonymised."
        ),
        query("updated_since", OpenApiTypes.DATETIME, "Changed at or after this instant."),
    )
    action_parameters = {
        "search": (
            query("query", SEARCHED, "As `search` of the list."),
            query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": 25}, "Rows at most."),
        )
    }
    matrix_actions = {"search": "search", "search_posted": "search", "duplicates": "search"}
    route_classes = {
        "list": RouteClass.SEARCH,
        "create": RouteClass.SEARCH,
        "search": RouteClass.SEARCH,
        "search_posted": RouteClass.SEARCH,
        "duplicates": RouteClass.HEAVY,
    }

    def queryset_for(self, actor: Actor) -> PatientQuerySet:
        rows = visible_patients(actor)
        return rows.for_list() if self.action in self.list_actions else rows

    def _first(self, rows: QuerySet[Any]) -> Any:
        patient = super()._first(rows)
        if patient.is_withheld:
            raise RecordRestricted.of(patient.pk)
        return patient

    def filtered(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if WITHHELD & self.request.query_params.keys() or "date_of_birth" in self.request.query_params.get("ordering", ""):
            queryset = cast(PatientQuerySet, queryset).open_to_reader()  # nobody is found, or placed, by what is withheld
        if mrn := text_parameter(self.request, "mrn", max_length=24):
            queryset = queryset.filter(mrn=mrn)
        if phone := text_parameter(self.request, "phone", max_length=40):
            queryset = queryset.filter(phone=self._phone(phone))
        if born := date_parameter(self.request, "date_of_birth"):
            queryset = queryset.filter(date_of_birth=born)
        if since := instant_parameter(self.request, "updated_since"):
            queryset = queryset.filter(updated_at__gte=since)
        if "status" in self.request.query_params:
            return choice_filter(queryset, self.request, "status", PatientStatus.values)
        return queryset.exclude(status__in=CLOSED)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Patients, page by page; with `search` those found, best first."""
        text = text_parameter(request, "search")
        if text is None:
            return super().list(request, *args, **kwargs)
        for name in (self.pages.position, "ordering"):
            if name in request.query_params:
                raise bad_parameter(name, f"{name} does not go with search: what is found is ranked.")
        narrowed = any(one.name in request.query_params for one in self.filters if one.name != "search")
        return self._found(text, self.pages.rows(request), self.filtered(self.rows()) if narrowed else None)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Register a patient. 409 with `duplicates` when somebody very alike is registered, unless `accept_duplicate`."""
        given = self.body(shapes.NewPatientInput)
        accept = given.pop("accept_duplicate", False)
        with named_as_sent():
            patient = services.register_patient(actor=self.actor, data=flat(given), accept_duplicate=accept)
        return self.one(patient, status=201)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change some fields. With `If-Match`: only if the record is still at that version."""
        key = self.key()
        changes = flat(self.body(shapes.PatientInput, partial=True))
        with named_as_sent():
            patient = services.update_patient(
                actor=self.actor, patient_id=key, changes=changes, expected_version=self.expected_version()
            )
        return self.one(patient)

    @extend_schema(request=shapes.AnonymiseInput, responses=shapes.PatientOutput)
    @action(detail=True, methods=["post"], url_path="anonymise")
    def anonymise(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make the record nobody's, for ever: visits stay to be counted, all that says who it was goes.

        409 while visits lie ahead, before the time of the clinic's own rule is over, and for one that is nobody's already.
        """
        key, given = self.key(), self.body(shapes.AnonymiseInput)
        services.anonymise_patient(actor=self.actor, patient_id=key, expected_version=self.expected_version(), **given)
        return self.one(self.row())

    @extend_schema(responses=shapes.PatientSummary(many=True), filters=False)
    @action(detail=False, methods=["get"], url_path="search", pagination_class=None)
    def search(self, request: Request, **kwargs: Any) -> Response:
        """Find patients: names in any order, begun or misspelt, end of a phone number, MRN, date of birth."""
        return self._found(text_parameter(request, "query") or "", KeysetPagination.rows(request))

    @extend_schema(request=shapes.SearchInput, responses=shapes.PatientSummary(many=True), filters=False)
    @search.mapping.post
    def search_posted(self, request: Request, **kwargs: Any) -> Response:
        """The same with the words in the body, so that they stand in no log of anybody's."""
        given = self.body(shapes.SearchInput)
        return self._found(given["search"], given.get("limit", KeysetPagination.default))

    @extend_schema(request=shapes.DuplicatesInput, responses=shapes.DuplicateOutput(many=True), filters=False)
    @action(detail=False, methods=["post"], url_path="duplicates", pagination_class=None)
    def duplicates(self, request: Request, **kwargs: Any) -> Response:
        """Who may be registered already: to ask before registering."""
        given = self.body(shapes.DuplicatesInput)
        given["phone"] = clean_phone(given.get("phone", ""), country=self.clinic.country)
        return self.many(duplicates_of(actor=self.actor, **given), serializer=shapes.DuplicateOutput)

    def _found(self, text: str, limit: int, within: Any = None) -> Response:
        matches = search_patients(actor=self.actor, text=text, limit=limit, within=within)
        return self.many([match.patient for match in matches])

    def _phone(self, text: str) -> str:
        problems = Problems()
        phone: str | None = problems.check("phone", partial(clean_phone, country=self.clinic.country), text)
        if phone is None:
            raise bad_parameter("phone", problems.details[0].message)
        return phone


@extend_schema_view(create=extend_schema(request=shapes.ConsentInput, responses={201: shapes.ConsentOutput}))
class ConsentsView(ClinicViewSet):
    """What a patient agreed to or took back; the newest of a kind counts."""

    resource = "patient"
    model = Consent
    also_reads = (Patient, PatientAccount)
    kept = TTL.PATIENT
    output = shapes.ConsentOutput
    orderings = {"created": ()}
    default_ordering = "-created"
    matrix_actions = {"create": "change"}

    def queryset_for(self, actor: Actor) -> QuerySet[Consent]:
        patient = self._patient(actor)
        shown([patient.pk])  # that there are none is said of somebody, too
        return Consent.objects.filter(patient_id=patient.pk)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Note a yes or a no."""
        patient = self._patient(self.actor)
        return self.one(
            services.note_consent(actor=self.actor, patient_id=patient.pk, **self.body(shapes.ConsentInput)), status=201
        )

    def _patient(self, actor: Actor) -> Patient:
        try:
            key = UUID(str(self.kwargs["id"]))
        except ValueError as error:
            raise NotFound("There is no such record.") from error
        patient: Patient = visible_patients(actor).only("id", "clinic_id").record(pk=key)
        return patient
