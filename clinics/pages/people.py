"""Who sees patients and who works here; for administrators, inviting people and changing what they are."""

from functools import partial
from typing import Any
from uuid import UUID

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from clinics.forms import InviteForm, MemberForm, form_name
from clinics.models import Invitation
from clinics.policies import visible_invitations, visible_memberships, visible_staff
from clinics.selectors import providers_in_use
from clinics.services import change_place_of_work, invite, withdraw_invitation
from core.accounts.models import Membership
from core.accounts.roles import Role
from core.editing import Edit, given
from core.errors import DomainError, NotFound
from core.forms import show_problems
from core.pages.access import page, proved
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import go


def in_words(roles: list[str]) -> str:
    return ", ".join(str(Role(role).label) for role in roles)


@require_GET
@page("staff", "view")
def people(request: ClinicRequest) -> HttpResponse:
    """Providers, the staff with their roles, and who is invited. Up to four queries."""
    context = {
        "providers": providers_in_use(actor=request.actor),
        "staff": [
            {"membership": membership, "roles": in_words(membership.roles)}
            for membership in visible_staff(request.actor).order_by("user__full_name")
        ],
        "former": _former(request),
        "invitations": [
            {"invitation": invitation, "roles": in_words(invitation.roles), "expired": not invitation.is_open(timezone.now())}
            for invitation in visible_invitations(request.actor).order_by("-created_at")
        ],
    }
    return render(request, "clinics/people.html", context)


def _former(request: ClinicRequest) -> list[dict[str, Any]]:
    """Who worked here, for whoever may take them back."""
    if not request.actor.can("membership", "change"):
        return []
    left = visible_memberships(request.actor).filter(state=Membership.State.LEFT).exclude(roles=[Role.PATIENT])
    return [{"membership": one, "roles": in_words(one.roles)} for one in left.order_by("user__full_name")]


@require_http_methods(["GET", "POST"])
@page("membership", "create")
@proved
def invite_person(request: ClinicRequest) -> HttpResponse:
    """Ask somebody by e-mail."""
    form = InviteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        form.is_valid()
        names = {"email": form.cleaned_data["email"], "full_name": form.cleaned_data["full_name"]}
        try:
            invitation = invite(actor=request.actor, **names, **form.place_of_work())
        except DomainError as error:
            show_problems(form, error, form_name)
        else:
            toast(request, _("An invitation is on its way to %(email)s") % {"email": invitation.email})
            return go(request, reverse("clinics:people"))
    return render(request, "clinics/invite.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@page("membership", "create")
def withdraw(request: ClinicRequest, invitation_id: UUID) -> HttpResponse:
    invitation = withdraw_invitation(actor=request.actor, invitation_id=invitation_id)
    toast(request, _("The invitation of %(email)s is withdrawn") % {"email": invitation.email})
    return go(request, reverse("clinics:people"))


@require_POST
@page("membership", "create")
@partial(proved, back="clinics:people")
def send_again(request: ClinicRequest, invitation_id: UUID) -> HttpResponse:
    """A new link for seven more days; the old one ends."""
    old: Invitation = visible_invitations(request.actor).found(pk=invitation_id)  # type: ignore[attr-defined]
    invite(
        actor=request.actor,
        email=old.email,
        full_name=old.full_name,
        roles=old.roles,
        location_ids=old.location_ids,
        department_id=old.department_id,
    )
    toast(request, _("A new invitation is on its way to %(email)s") % {"email": old.email})
    return go(request, reverse("clinics:people"))


@require_http_methods(["GET", "POST"])
@page("membership", "change")
@proved
def member(request: ClinicRequest, membership_id: UUID) -> HttpResponse:
    """What somebody is here: roles, places, and whether they still work here."""
    lock = request.method == "POST"  # so that who saves second is told what the other changed
    rows = visible_memberships(request.actor)
    membership = (rows.select_for_update(of=("self",)) if lock else rows).filter(pk=membership_id).first()
    if membership is None:
        raise NotFound(_("There is no such person here."))
    about, now = f"membership {membership.pk}", _as_it_is(membership)
    if request.method == "GET":
        return _show(request, membership, given(MemberForm, about=about, version=0, now=now))
    editing = Edit(MemberForm, request.POST, about=about, version=0, now=now)
    if not editing.is_settled:
        return _show(request, membership, editing.form, editing)
    form = editing.form
    form.is_valid()
    changes = {**form.place_of_work(), "state": form.cleaned_data["state"]}  # type: ignore[attr-defined]
    try:
        changed = {name: value for name, value in changes.items() if form_name(name) in editing.changes}
        if changed:
            change_place_of_work(actor=request.actor, membership_id=membership.pk, changes=changed)
    except DomainError as error:
        show_problems(form, error, form_name)
        return _show(request, membership, form)
    toast(request, _("%(name)s saved") % {"name": membership.user.full_name})
    return go(request, reverse("clinics:people"))


def _as_it_is(membership: Membership) -> dict[str, Any]:
    return {
        "roles": membership.roles,
        "locations": [str(one) for one in membership.location_ids],
        "department": str(membership.department_id or ""),
        "state": membership.state,
    }


def _show(request: ClinicRequest, membership: Membership, form: Form, editing: Edit | None = None) -> HttpResponse:
    status = 412 if editing and editing.is_stale else 422 if editing or form.errors else 200
    context = {"form": form, "membership": membership, "own": membership.user_id == request.actor.user_id, "edit": editing}
    return render(request, "clinics/member.html", context, status=status)
