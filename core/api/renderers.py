"""JSON out, in the contract's envelope."""

from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder

_encode_rest = JSONEncoder().default


class EnvelopeRenderer(BaseRenderer):
    """`{"data": …, "meta": {…}}`; an error body, marked by the exception handler, goes out as it is."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        context = renderer_context or {}
        response = context.get("response")
        if response is None or response.status_code in (204, 304):
            return b""
        if response.status_code < 400:
            meta = {"request_id": context["request"].request_id}
            page = getattr(response, "page", None)
            if page is not None:
                meta["page"] = page
            data = {"data": data, "meta": meta}
        return orjson.dumps(data, default=_encode_rest, option=orjson.OPT_NON_STR_KEYS)
