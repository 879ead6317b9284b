"""How a kept file goes out: as something to be saved, never as a page of ours."""

from urllib.parse import quote

from django.http import HttpResponse

POLICY = "sandbox; default-src 'none'"


def attachment(content: bytes, *, content_type: str, name: str) -> HttpResponse:
    """The whole file; a browser that opens it all the same lets it run nothing and reach nothing."""
    charset = "; charset=utf-8" if content_type.startswith("text/") else ""
    return HttpResponse(
        content,
        headers={
            "Content-Type": content_type + charset,
            "Content-Disposition": disposition_of(name),
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, no-store",
        },
    )


def disposition_of(name: str) -> str:
    """RFC 6266: the name in ASCII for old programs, and as it is (RFC 8187) for all others."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%;' else "_" for c in name)
    if plain == name:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
