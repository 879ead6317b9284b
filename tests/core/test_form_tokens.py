"""The token of forms is the one that Django's own check takes."""

import pytest
from django.middleware.csrf import CSRF_ALLOWED_CHARS, _does_token_match, get_token  # type: ignore[attr-defined]
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from core.pages.tokens import form_token, masked

SECRETS = st.text(CSRF_ALLOWED_CHARS, min_size=32, max_size=32)


@given(SECRETS)
def test_behind_the_mask_is_the_secret(secret: str) -> None:
    first, second = masked(secret), masked(secret)
    assert len(first) == 64
    assert _does_token_match(first, secret)
    assert _does_token_match(second, secret)
    assert first != second


@given(SECRETS, SECRETS)
def test_it_fits_no_other_secret(secret: str, other: str) -> None:
    assert _does_token_match(masked(secret), other) == (secret == other)


@pytest.mark.parametrize("known", ["", "s" * 32])
def test_the_cookie_is_sent_as_with_django_s_own(known: str) -> None:
    metas = []
    for token in (form_token, get_token):
        request = RequestFactory().get("/")
        if known:
            request.META["CSRF_COOKIE"] = known
        assert _does_token_match(token(request), request.META["CSRF_COOKIE"])
        metas.append(request.META["CSRF_COOKIE_NEEDS_UPDATE"])
    assert metas == [True, True]
