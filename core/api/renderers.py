"""JSON out, in the contract's envelope."""

from typing import Any

import orjson
from django.http import HttpRequest
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.answers import Answer, as_json


class AnswerResponse(Response):
    """Sends an answer that is JSON already; to whom has it, 304. `kept_as`: family and key of its place in the cache, if any."""

    def __init__(self, answer: Answer, status: int = 200, kept_as: tuple[str, str] | None = None) -> None:
        super().__init__(status=status, headers={"ETag": answer.etag})
        self.answer = answer
        self.kept_as = kept_as


def is_known_to(request: HttpRequest, answer: Answer) -> bool:
    """Does whoever asks have this very answer already? A compressed one's tag went out as a weak one."""
    sent = request.META.get("HTTP_IF_NONE_MATCH")
    if not sent or request.method not in ("GET", "HEAD"):
        return False
    known = {part.strip().removeprefix("W/") for part in sent.split(",")}
    return answer.etag in known or "*" in known


def enveloped(answer: Answer, request_id: str) -> bytes:
    """The body as it goes out."""
    data = orjson.Fragment(answer.body)
    return as_json(answer.page.envelope(data, request_id) if answer.page else {"data": data, "meta": {"request_id": request_id}})


class AlwaysJSON(DefaultContentNegotiation):
    """The API speaks JSON to whoever asks, whatever `Accept` says; so a browser sees what a machine sees."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        if len(renderers) > 1:
            return super().select_renderer(request, renderers, format_suffix)
        return renderers[0], renderers[0].media_type


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
        if isinstance(response, AnswerResponse):
            return enveloped(response.answer, context["request"].request_id)
        if response.status_code < 400:
            data = {"data": data, "meta": {"request_id": context["request"].request_id}}
        return as_json(data)
