"""The platform in the admin: clinics, people and what they are in a clinic, lockouts, what administrators did."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounts import admin as accounts_admin  # noqa: F401  (registers its own)
from core.accounts.factors.services import remove_all_factors
from core.accounts.models import Membership, SignInThrottle, User
from core.accounts.roles import CLINIC_ROLES, Role
from core.accounts.services import (
    add_member,
    change_member,
    change_user,
    create_user,
    lift_lockout,
    set_password,
    unlock_sign_in,
)
from core.admin_site import ScopedAdmin, ServiceForm, actor_of
from core.data_sync import admin as data_sync_admin  # noqa: F401  (registers its own)
from core.faults import admin as faults_admin  # noqa: F401  (registers its own)
from core.history import admin as history_admin  # noqa: F401  (registers its own)
from core.jobs import admin as jobs_admin  # noqa: F401  (registers its own)
from core.jobs.services import enqueue
from core.monitoring import admin as monitoring_admin  # noqa: F401  (registers its own)
from core.outbound import admin as outbound_admin  # noqa: F401  (registers its own)
from core.security import admin as security_admin  # noqa: F401  (registers its own)
from core.tenancy.models import Clinic
from core.tenancy.protection import mark_choices
from core.webhooks import admin as webhooks_admin  # noqa: F401  (registers its own)

ROLE_CHOICES = [(role.value, role.label) for role in Role if role in CLINIC_ROLES]


def roles_field() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(label=gettext_lazy("Roles"), choices=ROLE_CHOICES, widget=forms.CheckboxSelectMultiple)


def password_field(**kwargs: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=gettext_lazy("Password"), strip=False, max_length=1024, widget=widget, **kwargs)


class ClinicForm(forms.ModelForm):  # type: ignore[type-arg]
    """Roles as boxes."""

    second_factor_roles = forms.MultipleChoiceField(
        label=gettext_lazy("Second factor required of"),
        choices=ROLE_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Who has such a role sets up a second factor at the next sign-in, before anything else."),
    )
    protected_fields = forms.MultipleChoiceField(
        label=gettext_lazy("Protected fields"),
        choices=mark_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "Encrypted in the database for this clinic, beside those that always are. What stands there already is encrypted by a "
            "job that begins when this is saved."
        ),
    )


@admin.register(Clinic)
class ClinicAdmin(ScopedAdmin):
    """A clinic's administrator sees and names the own one; opening and closing clinics is the platform's."""

    resource = "clinic"
    asks_for_proof = True
    form = ClinicForm
    list_display = ("name", "slug", "time_zone", "country", "currency", "state")
    list_filter = ("state", "country")
    search_fields = ("name", "slug")
    readonly_fields = ("created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Clinic]:
        rows: QuerySet[Clinic] = super().get_queryset(request)
        if request.user.platform_role:
            return rows
        return rows.filter(pk=request.clinic.pk if request.clinic else None)

    def save_model(self, request: HttpRequest, obj: Clinic, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "protected_fields" in form.changed_data:
            enqueue("keys.follow_marks", clinic=obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = ("created_at", "updated_at")
        limits = ("rate_user", "rate_upload", "rate_heavy")
        return fixed if request.user.platform_role else (*fixed, "slug", "mrn_prefix", "state", "country", "currency", *limits)


class NewUserForm(ServiceForm):
    """An account with its first password."""

    password = password_field(
        help_text=gettext_lazy("At least twelve characters. Tell it in person; it can be changed after sign-in.")
    )

    def save_by_service(self) -> User:
        return create_user(actor=self.actor, **self.cleaned_data)


class UserForm(ServiceForm):
    """An account; an empty password stays as it is."""

    new_password = password_field(
        required=False, help_text=gettext_lazy("Empty: it stays. A new one ends all sessions of this person.")
    )

    def save_by_service(self) -> User:
        changes = self.changes()
        password = changes.pop("new_password", "")
        user: User = self.instance
        if changes:
            user = change_user(actor=self.actor, user_id=user.pk, changes=changes)
        if password:
            user = set_password(actor=self.actor, user_id=user.pk, password=password)
        return user


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    """What the person is in the clinic that is worked in. Changed under Memberships."""

    model = Membership
    fields = ("clinic", "role_names", "state")
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True
    verbose_name_plural = gettext_lazy("membership in this clinic")

    @admin.display(description=gettext_lazy("roles"))
    def role_names(self, obj: Membership) -> str:
        return role_names(obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.clinic is not None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        rows: QuerySet[Membership] = super().get_queryset(request)
        return rows.filter(clinic=request.clinic).select_related("clinic")


def role_names(membership: Membership) -> str:
    return ", ".join(str(Role(role).label) for role in membership.roles)


@admin.register(User)
class UserAdmin(ScopedAdmin):
    resource = "user"
    asks_for_proof = True
    list_display = ("email", "full_name", "platform_role", "is_active", "created_at")
    list_filter = ("is_active", "platform_role")
    search_fields = ("email", "full_name")
    date_hierarchy = "created_at"
    readonly_fields = ("last_login", "created_at")
    inlines = (MembershipInline,)
    actions = ("deactivate", "unlock", "remove_factors")
    fields: ClassVar[tuple[str, ...]] = (
        "email",
        "full_name",
        "platform_role",
        "is_active",
        "new_password",
        "last_login",
        "created_at",
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change=change, form=UserForm if change else NewUserForm, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("email", "full_name", "platform_role", "password")
        may_change = self.has_change_permission(request, obj)
        return self.fields if may_change else tuple(name for name in self.fields if name != "new_password")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else ()

    @admin.action(description=gettext_lazy("Close the accounts"), permissions=["change"])
    def deactivate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        actor = actor_of(request)
        self.each_by_service(
            request,
            rows,
            lambda user: change_user(actor=actor, user_id=user.pk, changes={"is_active": False}),
            _("%d accounts closed."),
        )

    @admin.action(description=gettext_lazy("Let them try to sign in again"), permissions=["change"])
    def unlock(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        actor = actor_of(request)
        self.each_by_service(request, rows, lambda user: unlock_sign_in(actor=actor, users=[user]), _("%d accounts unlocked."))

    @admin.action(description=gettext_lazy("Remove their second factors"), permissions=["change"])
    def remove_factors(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        actor = actor_of(request)
        words = _("The second factors of %d accounts removed; they were told by e-mail.")
        self.each_by_service(request, rows, lambda user: remove_all_factors(actor=actor, user=user), words)


class MemberForm(ServiceForm):
    """Roles as boxes, places of work as boxes; both belong to the clinic that is worked in."""

    roles = roles_field()
    location_ids = forms.MultipleChoiceField(
        label=gettext_lazy("Locations"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None: every location."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location_ids"].choices = location_choices()

    def save_by_service(self) -> Membership:
        return change_member(actor=self.actor, membership_id=self.instance.pk, changes=self.changes())


class NewMemberForm(MemberForm):
    """Somebody joins. Name and password are for a new account only."""

    email = forms.EmailField(label=gettext_lazy("E-mail"))
    full_name = forms.CharField(label=gettext_lazy("Full name"), max_length=200)
    password = password_field(help_text=gettext_lazy("For a new account. Who has an account keeps name and password."))

    def save_by_service(self) -> Membership:
        return add_member(actor=self.actor, **self.cleaned_data)


# Locations are the clinics app's, above this one: it says here how they are offered.
location_choices: Any = list


def offer_locations(choices: Any) -> None:
    """`choices()` gives (id, name) of the scope's locations. One query."""
    global location_choices
    location_choices = choices


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    """The people of the clinic that is worked in. Operators add somebody here; a clinic invites, on its page People."""

    resource = "membership"
    asks_for_proof = True
    list_display = ("person", "email", "role_list", "state", "created_at")
    list_filter = ("state",)
    search_fields = ("user__full_name", "user__email")
    list_select_related = ("user",)
    ordering = ("user__full_name",)
    readonly_fields = ("created_at",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request) and actor_of(request).can("user", "create")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        # Row-level security also shows a person's own memberships elsewhere.
        return super().get_queryset(request).filter(clinic=request.clinic).select_related("user")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change=change, form=MemberForm if change else NewMemberForm, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("email", "full_name", "password", "roles", "location_ids")
        if not self.has_change_permission(request, obj):
            return ("person", "email", "role_list", "state", "created_at")
        return ("person", "email", "roles", "location_ids", "state", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("person", "email", "role_list", "created_at") if obj is not None else ()

    @admin.display(description=gettext_lazy("name"), ordering="user__full_name")
    def person(self, obj: Membership) -> str:
        return obj.user.full_name

    @admin.display(description=gettext_lazy("e-mail"), ordering="user__email")
    def email(self, obj: Membership) -> str:
        return obj.user.email

    @admin.display(description=gettext_lazy("roles"))
    def role_list(self, obj: Membership) -> str:
        return role_names(obj)


@admin.register(SignInThrottle)
class SignInThrottleAdmin(ScopedAdmin):
    """Who may not try again yet, by digest: neither account nor address can be read back. Unlocking an account is under Users."""

    resource = "user"
    read_only = True
    asks_for_proof = True  # else whoever guesses the password on the page that asks for it lifts their own lockout, and goes on
    list_display = ("__str__", "failures", "last_failure_at", "locked_until")
    list_filter = ("last_failure_at",)
    ordering = ("-last_failure_at",)
    actions = ("lift",)

    @admin.action(description=gettext_lazy("Lift the lockout"), permissions=["lift"])
    def lift(self, request: HttpRequest, rows: QuerySet[SignInThrottle]) -> None:
        actor = actor_of(request)
        self.each_by_service(request, rows, lambda row: lift_lockout(actor=actor, key=row.key), _("%d lockouts lifted."))

    def has_lift_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "change")


@admin.register(LogEntry)
class LogEntryAdmin(ScopedAdmin):
    """What administrators did here. Records are named by MRN or id, never by a patient's name."""

    resource = "user"
    read_only = True
    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag", "message")
    list_filter = ("action_flag", "content_type")
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
    search_fields = ("object_repr", "user__email")
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "action_flag", "message")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("change"))
    def message(self, obj: LogEntry) -> str:
        return obj.get_change_message()
