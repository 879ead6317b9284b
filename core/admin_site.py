"""Django's own admin, behind the permission matrix and inside the clinic scope."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.options import IS_POPUP_VAR, ActionLocation
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounts.actor import Actor
from core.accounts.proofs import recently_proved
from core.accounts.roles import MATRIX, Role
from core.audit.subjects import Reading, show_rows
from core.cache import process as cache_process
from core.errors import DomainError
from core.forms import ReferenceSelect, TypedText, problem_of
from core.messaging.catalogue import TemplateWrong, languages_of, render, template_of, templates
from core.messaging.models import Channel
from core.monitoring.figures import PERIODS
from core.monitoring.overview import overview
from core.pages.access import prove_first
from core.pages.views import sign_out
from core.tenancy.models import Clinic

CLINIC_KINDS = ("clinic", "personal")


class HMSAdminSite(admin.AdminSite):
    """Signs in through HMS's own page, lets in whom the matrix names, and says which clinic is worked in."""

    site_header = gettext_lazy("HMS administration")
    site_title = gettext_lazy("HMS")
    index_title = gettext_lazy("Administration")
    site_url = "/"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        actor: Actor | None = getattr(request, "actor", None)
        return actor is not None and request.user.is_active and actor.can("admin", "view")

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """HMS's sign-in page; who is signed in already has no business here."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied
        target = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        return redirect(f"{reverse('pages:sign-in')}?{urlencode({REDIRECT_FIELD_NAME: target})}")

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return sign_out(request)  # type: ignore[arg-type]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        context["operates"] = context["has_permission"] and actor_of(request).can("alert", "change")
        context["switchable_clinics"] = _switchable(request) if context["has_permission"] else []
        return context

    def get_urls(self) -> list[URLPattern | URLResolver]:
        matrix = path("permission-matrix/", self.admin_view(self.permission_matrix), name="permission-matrix")
        figures = path("cache/", self.admin_view(self.cache_figures), name="cache")
        words = path("message-templates/", self.admin_view(self.message_templates), name="message-templates")
        system = path("system/", self.admin_view(self.system), name="system")
        one = "message-templates/<slug:name>/<slug:language>/<slug:channel>/"
        preview = path(one, self.admin_view(self.message_preview), name="message-preview")
        return [matrix, figures, system, words, preview, *super().get_urls()]

    def message_templates(self, request: HttpRequest) -> HttpResponse:
        """What HMS writes to patients, by template, language and channel. No query."""
        rows = [(one, [(language, list(Channel)) for language in languages_of(one.name)]) for one in templates()]
        context = {**self.each_context(request), "title": _("Message templates"), "rows": rows}
        return TemplateResponse(request, "admin/message_templates.html", context)

    def message_preview(self, request: HttpRequest, name: str, language: str, channel: str) -> HttpResponse:
        """One of them, filled in with made-up data. No query."""
        try:
            template = template_of(name)
            content = render(name, Channel(channel), language, template.sample)
        except (TemplateWrong, ValueError) as error:
            raise Http404 from error
        context = {
            **self.each_context(request),
            "title": template.label,
            "content": content,
            "channel": Channel(channel),
            "language": language,
            "characters": len(content.text),
        }
        return TemplateResponse(request, "admin/message_preview.html", context)

    def system(self, request: HttpRequest) -> HttpResponse:
        """How HMS stands: alerts, health, charts, what is slow. For operators. Four queries, and what is asked in threads."""
        if not actor_of(request).can("alert", "change"):
            raise PermissionDenied
        period = PERIODS.get(request.GET.get("period", ""), PERIODS["1h"])
        found = overview(period)
        context = {**self.each_context(request), "title": _("System"), "overview": found, "periods": PERIODS.values()}
        return TemplateResponse(request, "admin/system.html", context)

    def cache_figures(self, request: HttpRequest) -> HttpResponse:
        """What the cache did, by family of keys: counts that say nothing of anybody. No query."""
        figures, processes = cache_process.figures()
        context = {
            **self.each_context(request),
            "title": _("Cache"),
            "processes": processes,
            "families": [(family, _summary(values)) for family, values in figures.items()],
        }
        return TemplateResponse(request, "admin/cache.html", context)

    def permission_matrix(self, request: HttpRequest) -> HttpResponse:
        """Who may do what: the table that pages, API and admin all ask. Nothing can be changed here."""
        context = {
            **self.each_context(request),
            "title": _("Permission matrix"),
            "roles": [role.label for role in Role],
            "resources": [
                (resource, [(action, [role in allowed for role in Role]) for action, allowed in actions.items()])
                for resource, actions in MATRIX.items()
            ],
        }
        return TemplateResponse(request, "admin/permission_matrix.html", context)


def _summary(values: dict[str, float]) -> dict[str, float]:
    """With the hits in percent of all that was asked, and the milliseconds that a loader takes."""
    hits, loads = values["memory_hits"] + values["redis_hits"], values["misses"] + values["passed"]
    percent = 100 * hits / (hits + loads) if hits + loads else 0
    return {**values, "percent": percent, "load_ms": 1000 * values["load_seconds"] / loads if loads else 0}


def _switchable(request: HttpRequest) -> list[Clinic]:
    """The clinics this person may work in. One query for a platform role, none else."""
    if request.user.platform_role:
        return list(Clinic.objects.filter(state=Clinic.State.ACTIVE).only("id", "name", "time_zone"))
    return [membership.clinic for membership in request.memberships if Role.CLINIC_ADMIN in membership.roles]


def actor_of(request: HttpRequest) -> Actor:
    """Who works in the admin: the site lets nobody else in."""
    if request.actor is None:
        raise PermissionDenied
    return request.actor


class ReasonActionForm(ActionForm):
    """The list's actions, with room for a reason that goes into the history."""

    reason = forms.CharField(label=gettext_lazy("Reason"), required=False, max_length=300)


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form of the admin that is saved by a service: what the rules refuse stands beside the fields.

    Subclasses write `save_by_service`. It runs as the last step of validation, in a savepoint.
    """

    actor: Actor

    def save_by_service(self) -> models.Model:
        """Write and return the row. DomainErrors become the form's errors."""
        raise TypeError(f"{type(self).__name__} does not say how it is saved.")

    def _post_clean(self) -> None:
        if self.errors:
            super()._post_clean()  # type: ignore[misc]
            return
        try:
            with transaction.atomic():
                self.instance = self.save_by_service()
        except DomainError as error:
            self.add_domain_error(error)

    def add_domain_error(self, error: DomainError) -> None:
        if not error.details:
            self.add_error(None, str(error.message))
        for detail in error.details:
            self.add_error(detail.field if detail.field in self.fields else None, problem_of(detail))

    def save(self, commit: bool = True) -> Any:
        self.save_m2m = lambda: None
        return self.instance

    def changes(self) -> dict[str, Any]:
        """What was changed, by field name."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.cleaned_data}


class RecordForm(ServiceForm):
    """The common case: a record of the clinic with one service to add it and one to change it.

    Subclasses give both as `staticmethod`s and name the argument that takes the id.
    """

    create: ClassVar[Callable[..., models.Model]]
    update: ClassVar[Callable[..., models.Model]]
    id_name: ClassVar[str]

    def save_by_service(self) -> models.Model:
        adding = self.instance._state.adding
        given = {name: getattr(value, "pk", value) for name, value in (self.cleaned_data if adding else self.changes()).items()}
        if adding:
            return type(self).create(actor=self.actor, **self.arguments(given, "data"))
        return type(self).update(actor=self.actor, **{self.id_name: self.instance.pk}, **self.arguments(given, "changes"))

    def arguments(self, given: dict[str, Any], name: str) -> dict[str, Any]:
        """What the service takes besides actor and id."""
        return {name: given}


class ScopedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The base of every admin class: the matrix decides, the scope limits the rows, nothing is deleted by hand.

    Subclasses name the matrix's `resource`; `read_only = True` for what is a record of what happened; `asks_for_proof = True` for
    what outlives the session that changes it: its forms and actions are for who has given the password within the last minutes.
    """

    resource: ClassVar[str] = ""
    read_only: ClassVar[bool] = False
    asks_for_proof: ClassVar[bool] = False
    show_full_result_count = False
    list_per_page = 50
    view_on_site = False
    save_on_top = False

    def may(self, request: HttpRequest, action: str) -> bool:
        actor: Actor | None = getattr(request, "actor", None)
        return actor is not None and action in MATRIX[self.resource] and actor.can(self.resource, action)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        clinic_missing = getattr(self.model, "table_kind", "platform") in CLINIC_KINDS and request.clinic is None
        return not clinic_missing and self.may(request, "view")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.read_only and self.has_view_permission(request) and self.may(request, "create")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.read_only and self.has_view_permission(request) and self.may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.read_only and self.has_view_permission(request) and self.may(request, "delete")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the list offers as a filter. Django lets every column be asked about, a password's hash too."""
        name = lookup.partition("__")[0]
        own = {field.name for field in self.model._meta.get_fields()} | {"pk"}
        offered = [*self.get_list_filter(request), self.date_hierarchy] if request else []
        names = {(one[0] if isinstance(one, tuple) else one) for one in offered}
        roots = {one.partition("__")[0] for one in names if isinstance(one, str)}
        return (name not in own or name in roots) and super().lookup_allowed(lookup, value, request)

    def formfield_for_dbfield(self, db_field: "models.Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """Text reaches the rules as it was typed; they say what is wrong with it, under the same codes as everywhere."""
        is_text = isinstance(db_field, models.CharField | models.TextField) and not isinstance(db_field, models.SlugField)
        if is_text and not db_field.choices:
            kwargs["form_class"] = TypedText
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field: "models.ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", ReferenceSelect(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """A form that is saved by a service learns who acts."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if issubclass(form, ServiceForm):
            form.actor = actor_of(request)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not isinstance(form, ServiceForm):
            super().save_model(request, obj, form, change)

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> HttpResponse:
        """Asked for before something is typed. Who may only read is not asked."""
        may_write = self.has_change_permission(request) if object_id else self.has_add_permission(request)
        if may_write and self._lacks_proof(request):
            return prove_first(request.path)
        return super().changeform_view(request, object_id, *args, **kwargs)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if self.has_delete_permission(request) and self._lacks_proof(request):
            return prove_first(request.path)
        return super().delete_view(request, object_id, extra_context)

    def _lacks_proof(self, request: HttpRequest) -> bool:
        return self.asks_for_proof and not recently_proved(request)  # type: ignore[arg-type]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Whom its rows are about goes into the access log. Actions may ask for the password first."""
        if request.method == "POST" and self._lacks_proof(request):
            return prove_first(request.path)
        response = super().changelist_view(request, extra_context)
        changes = getattr(response, "context_data", None) and response.context_data.get("cl")  # type: ignore[attr-defined]
        if changes:
            show_rows(changes.result_list, Reading.SEARCH if getattr(request, "private_search", "") else Reading.LIST)
        return response

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            show_rows([found])
        return found

    def get_actions(self, request: HttpRequest, action_location: ActionLocation = ActionLocation.CHANGE_LIST) -> dict[str, Any]:
        """Without Django's own deletion; and none in a form, where what is typed would be lost."""
        if action_location != ActionLocation.CHANGE_LIST:
            return {}
        actions = super().get_actions(request, action_location)
        actions.pop("delete_selected", None)
        return {} if IS_POPUP_VAR in request.GET else actions

    def each_by_service(self, request: HttpRequest, rows: Iterable[models.Model], work: Callable[[Any], object], done: str) -> None:
        """Let an action do its work row by row: what a rule refuses is told, the rest is done. `done` counts with %d."""
        count = 0
        for row in rows:
            try:
                with transaction.atomic():
                    work(row)
                count += 1
            except DomainError as error:
                self.message_user(request, f"{row}: {error.message}", messages.ERROR)
        if count:
            self.message_user(request, done % count, messages.SUCCESS)


class PrivateSearchAdmin(ScopedAdmin):
    """A list that is searched by what patients are called: the words travel in a body and stand in no address."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        request.private_search = ""
        if request.method == "POST" and "private_search" in request.POST:
            request.private_search = request.POST.get("private_search", "").strip()[:200]
            request.method = "GET"
        return super().changelist_view(request, {**(extra_context or {}), "private_search": request.private_search})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The words stand in the box again; no link of the page carries them."""
        changes = super().get_changelist_instance(request)
        changes.query = getattr(request, "private_search", "")
        return changes

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        words = getattr(request, "private_search", "")
        return self.found(request, rows, words) if words else rows

    def found(self, request: HttpRequest, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """The rows that match the words."""
        raise TypeError(f"{type(self).__name__} does not say what the words find.")
