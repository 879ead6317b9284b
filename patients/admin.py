"""Patients in the admin: found by the same search, saved by the same services as everywhere."""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounts.models import Membership, User, normalise_email
from core.accounts.roles import Role
from core.admin_site import PrivateSearchAdmin, ScopedAdmin, ServiceForm, actor_of
from core.audit.restricted import access_of_reader
from core.errors import invalid
from patients.choices import CHOSEN_STATUS, Channel
from patients.models import Consent, Document, Patient, PatientAccount
from patients.policies import visible_patients
from patients.querysets import PatientQuerySet
from patients.selectors.search import search_patients
from patients.services.registration import register_patient, update_patient

FOUND_AT_MOST = 50
# What may be asked of the list without finding or placing anybody by what a restricted record withholds.
HARMLESS = {"q", "p", "all", "status__exact", "_changelist_filters", "_popup", "_to_field"}


def found_ids(request: HttpRequest, words: str) -> list[UUID]:
    """Patients whom the words name, best first; none if the role may not search."""
    actor = actor_of(request)
    if not actor.can("patient", "search"):
        return []
    return [match.patient.pk for match in search_patients(actor=actor, text=words, limit=FOUND_AT_MOST)]


class PatientForm(ServiceForm):
    reminder_channels = forms.MultipleChoiceField(
        label=gettext_lazy("Reminders by"), required=False, choices=Channel.choices, widget=forms.CheckboxSelectMultiple
    )
    accept_duplicate = forms.BooleanField(label=gettext_lazy("Register although somebody very alike is known"), required=False)
    read_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None and not self.instance._state.adding:
            self.fields.pop("accept_duplicate", None)
            if "read_version" in self.fields:
                self.fields["read_version"].initial = self.instance.version
        if "status" in self.fields:
            self.fields["status"].choices = CHOSEN_STATUS

    def save_by_service(self) -> Patient:
        data = dict(self.cleaned_data)
        version, accepted = data.pop("read_version", None), data.pop("accept_duplicate", False)
        if self.instance._state.adding:
            data.pop("status", None)
            return register_patient(actor=self.actor, data=data, accept_duplicate=accepted)
        changes = {name: value for name, value in self.changes().items() if name != "read_version"}
        return update_patient(actor=self.actor, patient_id=self.instance.pk, changes=changes, expected_version=version)


class ConsentInline(admin.TabularInline):  # type: ignore[type-arg]
    """What the patient agreed to. Noted at the desk, never altered here."""

    model = Consent
    fields = ("kind", "given", "noted_by", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Consent]:
        rows: QuerySet[Consent] = super().get_queryset(request)
        return rows.select_related("noted_by").order_by("-created_at")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.actor is not None and request.actor.can("patient", "view")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Patient)
class PatientAdmin(PrivateSearchAdmin):
    resource = "patient"
    form = PatientForm
    list_display = ("mrn", "family_name", "given_name", "date_of_birth", "sex", "phone", "status")
    list_display_links = ("mrn", "family_name")
    list_filter = ("status", "sex", "needs_interpreter")
    ordering = ("family_norm", "given_norm", "pk")
    inlines = (ConsentInline,)
    readonly_fields = ("mrn", "created_at", "updated_at", "version")
    fieldsets = (
        (
            None,
            {"fields": ("mrn", ("given_name", "middle_name", "family_name"), "preferred_name", "accept_duplicate", "read_version")},
        ),
        (gettext_lazy("Person"), {"fields": (("date_of_birth", "sex"), ("gender", "blood_type"), "national_id", "status")}),
        (
            gettext_lazy("Reach"),
            {"fields": (("phone", "phone_alt"), "email", "language", "needs_interpreter", "reminder_channels")},
        ),
        (
            gettext_lazy("Address"),
            {"fields": ("address_line1", "address_line2", ("postal_code", "city"), ("region", "country"))},
        ),
        (
            gettext_lazy("Emergency contact and insurance"),
            {
                "fields": (
                    ("emergency_name", "emergency_relationship", "emergency_phone"),
                    ("insurance_provider", "insurance_policy_number", "insurance_valid_until"),
                )
            },
        ),
        (
            gettext_lazy("Preferences"),
            {"fields": (("quiet_from", "quiet_until"), ("preferred_provider", "preferred_time_of_day"), "notes")},
        ),
        (gettext_lazy("Record"), {"fields": ("created_at", "updated_at", "version")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Patient]:
        rows = cast(PatientQuerySet, super().get_queryset(request) & visible_patients(actor_of(request)))
        asked = request.GET.keys() - HARMLESS
        return rows.open_to_reader() if asked else rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Patient | None:
        patient: Patient | None = super().get_object(request, object_id, from_field)
        if patient is not None and patient.is_withheld:
            raise PermissionDenied(_("This record is restricted."))
        return patient

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without what this form doesn't have: read-only viewers get no controls, known patients no duplicate box."""
        absent = (
            {"accept_duplicate"} if obj is not None else {"read_version", "mrn", "created_at", "updated_at", "version", "status"}
        )
        if obj is not None and not self.has_change_permission(request, obj):
            absent.add("read_version")
        kept = []
        for title, options in self.fieldsets:
            rows = [row for row in options["fields"] if row not in absent]
            if rows:
                kept.append((title, {**options, "fields": rows}))
        return kept

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else ()

    def found(self, request: HttpRequest, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        ids = found_ids(request, words)
        rank = Case(*(When(pk=pk, then=Value(place)) for place, pk in enumerate(ids)), default=Value(len(ids)))
        request.ranked = True  # type: ignore[attr-defined]
        return rows.filter(pk__in=ids).annotate(found_rank=rank)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("found_rank",) if getattr(request, "ranked", False) else self.ordering


@admin.register(Consent)
class ConsentAdmin(ScopedAdmin):
    resource = "patient"
    read_only = True
    list_display = ("patient", "kind", "given", "noted_by", "created_at")
    list_filter = ("kind", "given")
    list_select_related = ("patient", "noted_by")
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Consent]:
        return super().get_queryset(request).exclude(patient_id__in=access_of_reader().closed)


@admin.register(Document)
class DocumentAdmin(ScopedAdmin):
    """What there is about whom. Files are added and fetched at the record, never here."""

    resource = "document"
    read_only = True
    list_display = ("patient", "category", "date", "status", "content_type", "size", "added_by", "created_at")
    list_filter = ("category", "status", "content_type")
    list_select_related = ("patient", "added_by")
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).exclude(patient_id__in=access_of_reader().closed)


class PatientAccountForm(ServiceForm):
    """Ties a member of role Patient to the patient they are, or care for."""

    mrn = forms.CharField(label=gettext_lazy("MRN"), max_length=24)
    email = forms.EmailField(label=gettext_lazy("Member's e-mail"))

    def save_by_service(self) -> PatientAccount:
        self.actor.require("patient", "change")
        patient = visible_patients(self.actor).filter(mrn__iexact=self.cleaned_data["mrn"].strip()).first()
        if patient is None:
            raise invalid("mrn", "does_not_exist", _("There is no patient with this number."))
        email = normalise_email(self.cleaned_data["email"])
        member = Membership.objects.filter(clinic_id=patient.clinic_id, user__email=email, roles__contains=[Role.PATIENT]).first()
        if member is None:
            raise invalid("email", "does_not_exist", _("No member of this clinic with the role Patient has this e-mail."))
        tie, _made = PatientAccount.objects.get_or_create(patient=patient, user=User(pk=member.user_id))
        return tie


@admin.register(PatientAccount)
class PatientAccountAdmin(ScopedAdmin):
    resource = "patient"
    asks_for_proof = True
    form = PatientAccountForm
    fields = ("mrn", "email")
    list_display = ("patient", "user")
    list_select_related = ("patient", "user")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request) and self.may(request, "change")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("mrn", "email") if obj is None else ("patient", "user")
