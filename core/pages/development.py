"""In development every page says at its foot what it asked the database."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse
from django.utils.html import format_html, format_html_join

from core.database.detector import Detector
from core.requests import HMSRequest

END = b"</body>"


class StatementFooterMiddleware:
    """Statements, milliseconds and repeated statements below a page. Only under DEBUG, only on whole pages."""

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        if not settings.DEBUG:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        response = self.get_response(request)
        html = response.get("Content-Type", "").startswith("text/html") and not response.streaming
        if html and END in response.content:
            before, _, after = response.content.rpartition(END)
            response.content = before + footer(request.statements).encode() + END + after
            if "Content-Length" in response:
                response["Content-Length"] = str(len(response.content))
        return response


def footer(detector: Detector) -> str:
    """The line and, folded away, what was repeated."""
    repeated = detector.repetitions()
    rows = format_html_join("", "<li><code>{}</code></li>", ((str(one),) for one in repeated))
    return format_html(
        '<details class="statements" data-repeated="{}"><summary>{} statements, {} ms, {} repeated</summary><ol>{}</ol></details>',
        "yes" if repeated else "no",
        detector.count,
        f"{detector.milliseconds:.1f}",
        len(repeated),
        rows,
    )
