"""How large a request's body may be: where files are taken a file's worth, everywhere else what a form needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.urls import Resolver404, resolve

from core.errors import BadRequest, PayloadTooLarge

ENVELOPE = 64 * 1024  # bytes for the other fields of the form and its boundaries
MULTIPART = "multipart/form-data"
NO_ROOM = "hms.no_room"  # in the ASGI scope: true of a large body that wasn't kept because too many others were (hms.bodies)


def takes_uploads[V: Callable[..., Any]](view: V) -> V:
    """Marks a page whose form may bring a file. A view of the API says `takes_uploads = True`."""
    view.takes_uploads = True  # type: ignore[attr-defined]
    return view


def body_limit(path: str, content_type: str) -> int:
    """Bytes that a body of this type may have at this address. Asked only of bodies that a form would not have."""
    small: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if not content_type.lower().startswith(MULTIPART):
        return small
    try:
        view = resolve(path).func
    except Resolver404:
        return small
    takes = getattr(view, "takes_uploads", False) or getattr(getattr(view, "cls", None), "takes_uploads", False)
    return settings.HMS_UPLOAD_BYTES + ENVELOPE if takes else small


@contextmanager
def readable_form() -> Iterator[None]:
    """Around whatever reads a form. Raises PayloadTooLarge and BadRequest for one that Django won't read."""
    try:
        yield
    except RequestDataTooBig as error:
        raise PayloadTooLarge("The fields beside the file are larger than 1 MB.") from error
    except SuspiciousOperation as error:
        raise BadRequest("The form has too many fields or files.") from error
    except MultiPartParserError as error:
        raise BadRequest("The form is malformed.") from error


def form_of(request: HttpRequest) -> QueryDict:
    """The form's fields but the files. Raises as `readable_form` says."""
    with readable_form():
        return request.POST
