"""One's own account: with what one signs in besides the password."""

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.accounts.factors import app, codes, passkeys
from core.accounts.factors import services as factors
from core.accounts.factors.known import Kind, demanded_by, factors_of
from core.accounts.factors.models import SecondFactor
from core.accounts.proofs import keep_asked, note_proved, take_asked
from core.accounts.sign_in import SignInRefused, check_credentials
from core.errors import DomainError, NotFound, RateLimited
from core.forms import show_problems
from core.messaging.channels import configured
from core.messaging.models import Channel
from core.pages.access import proved, safe_next, signed_in
from core.pages.forms import AppForm, CodeProofForm, CodeWaysForm, ConfirmForm, PasskeyForm
from core.requests import HMSRequest
from core.responses import HttpResponseSeeOther, come_back
from core.security.crypto import decrypt, encrypt
from core.security.limiting.forms import count_own_letter, sign_in_try

View = Callable[[HMSRequest], HttpResponse]
NEW_APP, NEW_CODE = "new_app", "new_code"  # in the session, encrypted, until it is proved
PROVE_PHONE = "prove"
_proved = partial(proved, back="pages:security")  # who changes how the account is opened


@signed_in
@require_http_methods(["GET", "POST"])
def confirm(request: HMSRequest) -> HttpResponse:
    """Asks for the password again."""
    form = ConfirmForm(request.POST if request.method == "POST" else None)
    refused: DomainError | None = None
    if request.method == "POST" and form.is_valid():
        email = request.user.email
        try:
            with sign_in_try(request, email) as count:
                check_credentials(request, email=email, password=form.cleaned_data["password"], count=count)
        except (SignInRefused, RateLimited) as error:
            refused = error
        else:
            note_proved(request)
            return HttpResponseSeeOther(safe_next(request))
    status = 200 if request.method == "GET" else 429 if isinstance(refused, RateLimited) else 422
    response = render(request, "core/confirm.html", {"form": form, "refused": refused, "next": safe_next(request)}, status=status)
    come_back(response, refused.retry_after if refused else 0)
    return response


@signed_in
@require_http_methods(["GET"])
def security(request: HMSRequest) -> HttpResponse:
    """What one has, and what can be set up. One query."""
    return _security_page(request)


@_proved
@require_http_methods(["GET", "POST"])
def add_app(request: HMSRequest) -> HttpResponse:
    """The QR code, then a code of the app as proof."""
    key = _unsealed(request, NEW_APP).get("key") if request.method == "POST" else None
    if key is None:
        key = app.new_key()
        _seal(request, NEW_APP, {"key": key})
    form = AppForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            factors.add_app(user=request.user, key=key, code=codes.plain(form.cleaned_data["code"]))
        except DomainError as error:
            show_problems(form, error)
        else:
            request.session.pop(NEW_APP, None)
            return _added(request, _("Your authenticator app is set up."))
    side, path = app.qr_path(app.address(key, account=request.user.email, issuer="HMS"))
    context = {"form": form, "key": " ".join(key[at : at + 4] for at in range(0, len(key), 4)), "side": side, "path": path}
    return render(request, "core/add_app.html", context, status=200 if request.method == "GET" else 422)


@_proved
@require_http_methods(["GET", "POST"])
def add_code(request: HMSRequest) -> HttpResponse:
    """By which channel codes come; one is sent, and given back as proof."""
    country = request.clinic.country if request.clinic else ""
    if "code" in request.POST:
        return _prove_code(request)
    form = CodeWaysForm(request.POST if request.method == "POST" else None, country=country, initial={"channel": Channel.EMAIL})
    if request.method == "GET" or not form.is_valid():
        return render(request, "core/add_code.html", {"form": form}, status=200 if request.method == "GET" else 422)
    chosen = {"channel": form.cleaned_data["channel"], "phone": form.cleaned_data["phone"]}
    channel, address = Channel(chosen["channel"]), chosen["phone"] or request.user.email
    try:
        count_own_letter(request, request.user)
    except RateLimited as error:
        form.add_error(None, str(error.message))
        return render(request, "core/add_code.html", {"form": form}, status=error.status)
    _seal(request, NEW_CODE, chosen)
    purpose = f"{PROVE_PHONE} {request.user.pk}"
    codes.send_code(purpose=purpose, name=address, person_id=request.user.pk, to={channel: address}, channels=[channel])
    return render(request, "core/add_code.html", {"form": CodeProofForm(), "sent_to": address})


def _prove_code(request: HMSRequest) -> HttpResponse:
    chosen, form = _unsealed(request, NEW_CODE), CodeProofForm(request.POST)
    if not chosen:
        return HttpResponseSeeOther(reverse("pages:add-code"))
    address = chosen["phone"] or request.user.email
    purpose = f"{PROVE_PHONE} {request.user.pk}"
    if form.is_valid():
        code = form.cleaned_data["code"]
        if codes.is_right(purpose=purpose, name=address, code=code) and codes.spend(purpose=purpose, name=address, code=code):
            factors.add_code(user=request.user, channels=[Channel(chosen["channel"])], phone=chosen["phone"])
            request.session.pop(NEW_CODE, None)
            return _added(request, _("From now on a code is sent when you sign in."))
        form.add_error("code", _("This code is wrong or has expired."))
    return render(request, "core/add_code.html", {"form": form, "sent_to": address}, status=422)


@_proved
@require_POST
def ask_passkey(request: HMSRequest) -> HttpResponse:
    """For a script: what the browser is to make."""
    known = [one for one in factors_of(request.user) if one.kind == Kind.PASSKEY]
    asked, state = passkeys.ask_to_make(request.user, known)
    keep_asked(request, state)
    return JsonResponse(asked)


@_proved
@require_POST
def add_passkey(request: HMSRequest) -> HttpResponse:
    form, state = PasskeyForm(request.POST), take_asked(request)
    if form.is_valid() and state is not None:
        given = form.cleaned_data
        try:
            factors.add_passkey(user=request.user, state=state, answer=given["answer"], name=given["name"])
        except DomainError as error:
            show_problems(form, error)
        else:
            return _added(request, _("The passkey is set up."))
    elif state is None:
        form.add_error(None, _("The passkey could not be read. Try again."))
    return _security_page(request, passkey_form=form, status=422)


@_proved
@require_POST
def new_recovery_codes(request: HMSRequest) -> HttpResponse:
    if not any(one.kind != Kind.RECOVERY for one in factors_of(request.user)):
        raise NotFound(_("Set up a second factor first."))
    return render(request, "core/recovery_codes.html", {"codes": factors.new_recovery_codes(user=request.user)})


@_proved
@require_POST
def remove_factor(request: HMSRequest) -> HttpResponse:
    try:
        factor_id = UUID(request.POST.get("factor", ""))
    except ValueError as error:
        raise NotFound(_("There is no such factor.")) from error
    factors.remove_factor(user=request.user, factor_id=factor_id)
    messages.success(request, _("Removed."))
    return HttpResponseSeeOther(reverse("pages:security"))


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _security_page(request: HMSRequest, *, passkey_form: PasskeyForm | None = None, status: int = 200) -> HttpResponse:
    own = factors_of(request.user)
    by_kind: dict[str, SecondFactor] = {one.kind: one for one in own}
    code, recovery_codes = by_kind.get(Kind.CODE), by_kind.get(Kind.RECOVERY)
    context = {
        "app": by_kind.get(Kind.APP),
        "passkeys": [one for one in own if one.kind == Kind.PASSKEY],
        "passkeys_work": passkeys.available(),
        "passkey_form": passkey_form or PasskeyForm(),
        "code": code,
        "code_channel": Channel(code.secret["channels"][0]).label if code else "",
        "code_ends": code.secret["phone"][-3:] if code else "",
        "channels": bool(configured()),
        "recovery_left": len(recovery_codes.secret["digests"]) if recovery_codes else None,
        "has_any": any(one.kind != Kind.RECOVERY for one in own),
        "demanded": demanded_by(request.memberships),
        "next": "/",
    }
    return render(request, "core/security.html", context, status=status)


def _added(request: HMSRequest, words: str) -> HttpResponse:
    """Back to the page; with the first factor come recovery codes, which are shown now and never again."""
    if any(one.kind == Kind.RECOVERY for one in factors_of(request.user)):
        messages.success(request, words)
        return HttpResponseSeeOther(reverse("pages:security"))
    return render(request, "core/recovery_codes.html", {"codes": factors.new_recovery_codes(user=request.user), "words": words})


def _seal(request: HMSRequest, name: str, plain: dict[str, Any]) -> None:
    """Into the session, which the database keeps in clear: encrypted, and bound to the person."""
    sealed = encrypt(json.dumps(plain).encode(), context=f"session:{name}:{request.user.pk}")
    request.session[name] = base64.b64encode(sealed).decode()


def _unsealed(request: HMSRequest, name: str) -> dict[str, Any]:
    held = request.session.get(name)
    if not held:
        return {}
    found: dict[str, Any] = json.loads(decrypt(base64.b64decode(held), context=f"session:{name}:{request.user.pk}"))
    return found
