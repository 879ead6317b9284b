"""Where a request is looked at: its path, values that are no prose, headers, and the kind of what it brings. It is only read."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from django.http import HttpRequest

from core.security.screening.rules import BLATANT, NOTHING, ODD, Found, in_header, in_identifier

# Parameters in which people write: words to look for, names, mail addresses, reasons. They are never looked at; neither is a form
# or a body.
PROSE = re.compile(
    r"(?:.*[_-])?(?:q|query|search|term|terms|words?|text|names?|titles?|notes?|reasons?|comments?|messages?|descriptions?|"
    r"labels?|addresse?s?|e?mails?|cit(?:y|ies)|streets?|diagnos[ei]s|allergy|medications?)(?:__\w+)?|_changelist_filters"
)
OF_OURS = frozenset({"cursor"})  # made by HMS, in letters without a meaning: what reads it back judges it
LONGEST_ADDRESS, LONGEST_HEADER, MOST_HEADERS = 4096, 8192, 60
REMEMBERED = 400  # characters up to which a header's verdict is remembered
BODIES = (
    "",
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
    "application/csp-report",
)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# What holds secrets or random letters is measured, not read: one in some thousands of them spells an attack. So are the tokens,
# signatures, certificates and traces that proxies add. The rest of the headers is read as what it is.
OPAQUE = frozenset({
    *("HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_RANGE", "HTTP_IDEMPOTENCY_KEY"),
    *("HTTP_DPOP", "HTTP_B3", "HTTP_TRACEPARENT", "HTTP_TRACESTATE", "HTTP_BAGGAGE", "HTTP_CF_RAY", "HTTP_SIGNATURE_INPUT"),
})  # fmt: skip
OPAQUE_ENDINGS = (
    *("TOKEN", "_KEY", "SIGNATURE", "_SIGNATURE_256", "DIGEST", "ASSERTION", "_CERT", "_CLIENTCERT", "_PRINCIPAL", "_OIDC_DATA"),
    *("_REQUEST_ID", "_TRACE_ID", "_TRACE_CONTEXT", "_TRACE", "_CORRELATION_ID", "TRACEID", "SPANID"),
)
IDENTIFIERS = frozenset({"HTTP_X_CLINIC_ID", "HTTP_X_API_VERSION", "HTTP_X_HMS_SEEN", "HTTP_X_HMS_POSITION"})
ONE_VALUE = IDENTIFIERS | {"HTTP_AUTHORIZATION", "HTTP_HOST", "HTTP_X_REQUEST_ID"}
ADDRESSES = ("HTTP_REFERER", "_URL", "_URI", "_PATH")  # so they end; read without their query: it may hold words to search for

DECOYS = re.compile(
    r"""/(?:[\w./-]*/)?(?:
        \.(?:env|git|svn|hg|aws|ssh|docker|htaccess|htpasswd|vscode|idea|DS_Store|bash_history|npmrc|kube)(?:[./~-].*)?
        | wp-(?:login|admin|content|includes|config|json|cron|signup)\b.*
        | (?:wordpress|xmlrpc|phpmyadmin|pma|adminer|phpinfo|myadmin|mysqladmin|sqlmanager|cgi-bin|vendor/phpunit|actuator|jenkins
            |solr|hudson|manager/html|server-status|server-info|boaform|hnap1|druid|telescope|_ignition|_profiler|owa|ecp|autodiscover
            |geoserver|struts|console/login|invoker|axis2|jmx-console|web-console|elmah|trace\.axd|_vti_bin|\+cscoe\+)(?:[/.].*)?
        | [\w.-]+\.(?:php[3-8]?|phtml|aspx?|ashx|asmx|jspx?|cfm|cgi|pl|do|action|sql|bak|old|swp|rar|7z|tgz|tar
            |pem|key|pfx|ini|conf|sqlite3?|mdb)
        | (?:backup|dump|db|database|www|site|config|credentials|secrets?|id_rsa)\.(?:zip|gz|tar\.gz|json|ya?ml|xml|txt)
    )/?""",
    re.VERBOSE | re.IGNORECASE,
)


def decoy(path: str) -> bool:
    """Is this an address that only somebody looking for another software's weaknesses asks for? HMS has none like it."""
    return DECOYS.fullmatch(path) is not None


def screened(request: HttpRequest) -> Found:
    """All that is suspicious, together; NOTHING for nearly every request. No body is read."""
    found = [*_address(request), *_headers(request.META), *_body(request)]
    if not found:
        return NOTHING
    return Found(max(one.points for one in found), tuple(sorted({name for one in found for name in one.names})))


def _address(request: HttpRequest) -> Iterator[Found]:
    path, query = request.path_info, str(request.META.get("QUERY_STRING", ""))
    if len(path) + len(query) > LONGEST_ADDRESS:
        yield Found(ODD, ("size.address",))
    if (found := in_path(path)) is not NOTHING and not decoy(path):
        yield found
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield from in_parameter(name, value)


@lru_cache(maxsize=2048)
def in_path(path: str) -> Found:
    """A path is read piece by piece and as a whole. What is left of percent signs after decoding was encoded twice."""
    for text in ("/".join(path.split("/")[-6:]) if "//" in path or ".." in path or "%" in path else "", *path.split("/")):
        if text and (found := in_identifier(text)) is not NOTHING:
            return found
    return NOTHING


def in_parameter(name: str, value: str) -> Iterator[Found]:
    """One parameter, as it stands in the address. A name is always an identifier; a value, unless people write there."""
    name = unquote_plus(name)
    if (found := in_identifier(name)) is not NOTHING:
        yield found
    if value and name not in OF_OURS and not PROSE.fullmatch(name) and (found := in_identifier(unquote_plus(value))) is not NOTHING:
        yield found


def _headers(meta: Mapping[str, Any]) -> Iterator[Found]:
    count = 0
    for name, value in meta.items():
        if name.startswith("HTTP_"):
            count += 1
            look = _seen_before if len(value) <= REMEMBERED and not is_opaque(name) else in_one_header
            if (found := look(name, value)) is not NOTHING:
                yield found
    if count > MOST_HEADERS:
        yield Found(ODD, ("header.many",))


@lru_cache(maxsize=512)
def is_opaque(name: str) -> bool:
    """Is this a header of which nobody can say what it should look like?"""
    return name in OPAQUE or name.endswith(OPAQUE_ENDINGS)


def in_one_header(name: str, value: str) -> Found:
    """Long, broken, doubled, or an attack."""
    if len(value) > LONGEST_HEADER:
        return Found(ODD, ("header.size",))
    if not value.isprintable() and CONTROL.search(value):
        return Found(BLATANT, ("header.control",))
    found = NOTHING
    if not is_opaque(name) and not name.startswith("HTTP_SEC_"):  # browsers write odd marks there on purpose: "Not(A:Brand"
        found = _read(name, value if value.isascii() else _as_sent(value))
    if found is NOTHING and name in ONE_VALUE and "," in value:
        return Found(ODD, ("header.doubled",))
    return found


_seen_before = lru_cache(maxsize=2048)(in_one_header)  # the same browser sends the same headers again


def _read(name: str, value: str) -> Found:
    if name in IDENTIFIERS:
        return in_identifier(value)
    return in_header(value.partition("?")[0] if name.endswith(ADDRESSES) else value)


def _as_sent(value: str) -> str:
    """WSGI hands over a header's bytes as latin-1."""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def _body(request: HttpRequest) -> Iterator[Found]:
    declared = str(request.META.get("CONTENT_TYPE") or "")
    if not declared or request.method in ("GET", "HEAD", "OPTIONS"):
        return
    kind = declared.partition(";")[0].strip().lower()
    if kind not in BODIES:
        yield Found(ODD, ("body.type",))
    elif (found := in_header(declared)) is not NOTHING:
        yield found
