"""HMS reads UTF-8 alone. A body in anything else is refused with a sentence, where Django would follow whatever charset its sender
names: in the query too, which it then takes apart while the request is made, outside of all that answers errors."""

from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _

from core.errors import UnsupportedMediaType
from core.requests import GetResponse, HMSRequest
from core.responses import error_response

READ = ("utf-8", "utf8", "us-ascii", "ascii")  # the last two are a part of the first


class Utf8Request(WSGIRequest):
    """What the server makes of each request: its `encoding` is None, which is UTF-8, whatever its Content-Type names.

    A Content-Type that can't be read leaves `content_type` empty.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            self.content_type, self.content_params = "", {}


class CharsetMiddleware:
    """Answers 415 to a Content-Type that can't be read, and to a body in another charset."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        said = request.META.get("CONTENT_TYPE", "")
        if said and not request.content_type:
            return error_response(request, UnsupportedMediaType(_("The Content-Type of the request can't be read.")))
        charset = (request.content_params or {}).get("charset", READ[0])
        if charset.lower() not in READ and request.META.get("CONTENT_LENGTH") not in (None, "", "0"):
            return error_response(request, UnsupportedMediaType(_("Send the body in UTF-8: this one names another charset.")))
        return self.get_response(request)
