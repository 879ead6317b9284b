"""Attacks are recognised where nobody writes prose, and prose is recognised nowhere: two corpora, and every address of our own."""

from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from django.test import Client, RequestFactory

from core.accounts.roles import Role
from core.api.versioning import IN_PATHS
from core.security.screening.places import PROSE, decoy, in_parameter, screened
from core.security.screening.rules import BLATANT, NOTHING
from tests.attack.corpus import agents, attacks, clinical_sentences, spellings
from tests.factories.openapi import document
from tests.factories.routes import all_routes
from tests.factories.world import Place

ATTACKS = [attack for group in attacks().values() for attack in group]
SENTENCES = clinical_sentences()
FACTORY = RequestFactory()
ID = "0198c0de-0000-7000-8000-0123456789ab"


def on_the_wire(text: str) -> str:
    """As WSGI hands over a header's bytes."""
    return text.encode().decode("latin-1")


PLACES: dict[str, Any] = {
    "a path": lambda text: FACTORY.get(f"/patients/{quote(text, safe='/')}"),
    "an identifier": lambda text: FACTORY.get(f"/api/v2/appointments?provider={quote_plus(text)}"),
    "a parameter's name": lambda text: FACTORY.get(f"/api/v2/appointments?{quote_plus(text)}=1"),
    "an id in a header": lambda text: FACTORY.get("/", headers={"X-Clinic-ID": on_the_wire(text)}),
    **{name: lambda text, name=name: FACTORY.get("/", headers={name: on_the_wire(text)}) for name in (
        "User-Agent", "Referer", "Origin", "Accept", "Accept-Language", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
        "Forwarded", "X-Real-IP", "Via", "X-Anything", "HX-Current-URL", "X-Original-URI",
    )},
}  # fmt: skip


def test_the_corpora_are_large_enough() -> None:
    assert len(set(ATTACKS)) >= 300
    assert min(len(group) for group in attacks().values()) >= 5
    assert len(set(SENTENCES)) >= 200
    assert len(set(agents())) >= 140


@pytest.mark.parametrize("place", PLACES)
def test_attacks_are_flagged_where_no_prose_belongs(place: str) -> None:
    requests = [(text, PLACES[place](text)) for text in ATTACKS]
    missed = [text for text, request in requests if screened(request) is NOTHING and not decoy(request.path_info)]
    assert len(missed) <= 0.05 * len(ATTACKS), missed


def test_other_spellings_of_an_attack_are_flagged_too() -> None:
    every = [text for attack in ATTACKS for text in spellings(attack)]
    missed = [text for text in every if screened(PLACES["an identifier"](text)) is NOTHING]
    assert len(missed) <= 0.05 * len(every), missed


def test_each_group_is_refused_and_not_only_noted() -> None:
    for name, group in attacks().items():
        refused = [text for text in group if screened(PLACES["an identifier"](text)).points >= BLATANT]
        assert len(refused) >= 0.5 * len(group), name


@pytest.mark.parametrize("name", ["search", "query", "q", "name", "notes", "reason", "family_name", "email", "_changelist_filters"])
def test_no_clinical_sentence_is_flagged_where_words_belong(name: str) -> None:
    flagged = [text for text in SENTENCES if screened(FACTORY.get(f"/api/v2/patients?{name}={quote_plus(text)}")) is not NOTHING]
    assert flagged == []


def test_nor_in_a_form_or_a_body() -> None:
    for text in (*SENTENCES, *ATTACKS):
        assert screened(FACTORY.post("/patients/register/", {"notes": text, "family_name": text})) is NOTHING
        assert screened(FACTORY.post("/api/v2/patients", {"notes": text}, content_type="application/json")) is NOTHING


def test_nor_where_a_page_was_asked_for_from_a_search() -> None:
    for text in SENTENCES:
        headers = {"Referer": f"http://testserver/admin/core/user/?q={quote_plus(text)}"}
        assert screened(FACTORY.get("/", headers=headers)) is NOTHING, text


def test_browsers_and_clients_are_not_flagged() -> None:
    for agent in agents():
        assert screened(FACTORY.get("/", headers={"User-Agent": agent})) is NOTHING, agent
    browser = {
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
        "Accept-Language": "de-AT,de;q=0.9,en-GB;q=0.8,zh-Hant-TW;q=0.7,*;q=0.5",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Sec-CH-UA": '"Not(A:Brand";v="99", "Google Chrome";v="140", "Chromium";v="140"',
        "Sec-CH-UA-Platform": '"Windows"',
        "Cookie": 'hms_session=abc; other={"a":[1,2]}; tracking=<x>%27',
        "Referer": "http://testserver/calendar/week/?day=2026-03-02&location=" + ID,
        "Origin": "null",
        "If-None-Match": '"3-0011aabb", W/"x"',
        "If-Modified-Since": "Wed, 21 Oct 2026 07:28:00 GMT",
        "X-Forwarded-For": "203.0.113.7, 10.0.0.2, unknown, [2001:db8::1]:4711, 169.254.129.1:53724",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "localhost:8000",
        "X-Forwarded-Port": "443",
        "X-Real-IP": "127.0.0.1",
        "X-Original-URI": "/api/v2/patients?search=select%20one%20from%20the%20list;%20or%201=1",
        "X-Forwarded-Client-Cert": 'By=spiffe://a/b;Hash=46;Subject="CN=Clinic,O=Practice";URI=spiffe://a/c',
        "Host": "192.168.1.20:8000",
        "Forwarded": 'for="[2001:db8::1]:4711";proto=https;by=203.0.113.43',
        "Via": "1.1 proxy.example (squid/5.7)",
        "HX-Current-URL": "http://testserver/patients/?x=' OR 1=1--",
        "HX-Target": "results",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "baggage": "userId=alice,serverNode=DF%2028,isProduction=false",
        "Content-Type": "multipart/form-data; boundary=----WebKitFormBoundaryxLZ3JqpL6GsT0y1A",
        "Idempotency-Key": "0198c0de-0000-7000-8000-0123456789ab:visit/1",
    }
    assert screened(FACTORY.get("/", headers=browser)) is NOTHING
    for brand in ("Not;A=Brand", " Not A;Brand", "Not/A)Brand", "Not_A Brand", "Not?A_Brand", "(Not(A:Brand", ";Not A Brand"):
        assert screened(FACTORY.get("/", headers={"Sec-CH-UA": f'"{brand}";v="99", "Chromium";v="140"'})) is NOTHING, brand


# --- Our own addresses ------------------------------------------------------------------------------------------------------
def test_no_address_of_ours_is_flagged_or_a_decoy() -> None:
    for route in all_routes():
        path = route.path
        for name in route.parameters:
            path = path.replace(f"{{{name}}}", ID)
        assert screened(FACTORY.get(path)) is NOTHING, path
        assert not decoy(path), path


# What the API's documents name as parameters. A new one is put where it belongs: people write in it, or they don't.
IDENTIFIERS = {
    "api_version", "again", "appointment", "before", "category", "channels", "birth", "clinic_id", "cursor", "date", "date_of_birth", "day", "department", "fields", "format", "from", "kind",
    "lang", "last_event_id", "limit", "location", "mrn", "next", "ordering", "page", "page_size", "patient", "phone", "provider", "queue", "room", "service", "source",
    "state", "status", "to", "user", "verdict", "unread", "updated_since", "version", "weekday", "webhook", "week", "year", "active", "is_active", "start", "end", "date_from", "date_to",
}  # fmt: skip
WORDS = {"search", "query", "name", "q", "email"}


def declared() -> set[str]:
    """The names of all query parameters in the API's documents."""
    paths = [path for version in IN_PATHS for path in document(version)["paths"].values()]
    operations = [one for path in paths for one in path.values() if isinstance(one, dict)]
    return {one["name"] for operation in operations for one in operation.get("parameters", ()) if one.get("in") == "query"}


def test_every_parameter_is_prose_or_an_identifier_on_purpose() -> None:
    assert {"cursor", "search"} <= declared()
    assert declared() - IDENTIFIERS - WORDS == set()
    assert [name for name in IDENTIFIERS if PROSE.fullmatch(name)] == []
    assert [name for name in WORDS if not PROSE.fullmatch(name)] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=25&ordering=-start,given_name&fields=id,mrn,address.line1",
        "from=2026-03-02T08:00:00%2B01:00&to=2026-03-09",
        "from=2026-03-02T08:00:00+01:00",
        "cursor=cD0yMDI2LTAzLTAyKzA4JTNBMDA%3D&api_version=2.0",
        "cursor=eyJhIjoxfQ==--",
        f"provider={ID}&status=confirmed,checked_in&location=",
        "phone=%2B44%2020%207946%200958&mrn=RV-0000017&date_of_birth=1980-02-03",
        "phone=(020)%207946-0958%20ext.%2012",
        "next=/patients/0198c0de-0000-7000-8000-0123456789ab/%3Fa%3D1",
        "next=/admin/core/user/%3Fq%3DO%2527Brien%26o%3D-2.1",
        "state__exact=active&o=-2.1.-3&p=3&made_at__gte=2026-01-01+00%3A00%3A00%2B00%3A00&_popup=1&_to_field=id&e=1",
        "email=o'brien@clinic.example",
        "again=1&day=2026-03-02#top",
        "clinic_id=st-mary-s-practice",
    ],
)
def test_what_our_pages_and_clients_send_is_not_flagged(query: str) -> None:
    assert screened(FACTORY.get(f"/api/v2/appointments?{query}")) is NOTHING


# --- The whole way ------------------------------------------------------------------------------------------------------
def test_the_blatant_is_refused_in_the_contracts_shape_and_as_a_page(api: Any, riverside: Place, client: Client) -> None:
    attack = quote_plus("' UNION SELECT password FROM core_user--")
    answer = api(riverside.users[Role.DOCTOR]).get(f"appointments?provider={attack}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BAD_REQUEST"
    page = client.get(f"/sign-in/?next={attack}")
    assert page.status_code == 400
    assert "<h1>That did not work</h1>" in page.text


def test_what_is_only_odd_goes_on(client: Client, world: Any) -> None:
    assert client.get("/sign-in/?next=//evil.example").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/wp-login.php", "/.env", "/.env.production", "/.git/config", "/.git/HEAD", "/phpmyadmin/index.php", "/phpMyAdmin/", "/cgi-bin/test.cgi",
        "/actuator/health", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/wp-admin/setup-config.php", "/wordpress/wp-login.php",
        "/xmlrpc.php", "/server-status", "/.aws/credentials", "/backup.zip", "/db.sql", "/config.json", "/manager/html", "/HNAP1", "/boaform/admin/formLogin",
        "/solr/admin/info/system", "/_ignition/execute-solution", "/owa/auth/logon.aspx", "/index.jsp", "/api/.env", "/old/.svn/entries", "/.DS_Store",
    ],
)  # fmt: skip
def test_a_decoy_answers_like_any_address_that_is_not_there(client: Client, world: Any, path: str) -> None:
    assert decoy(path)
    answer, other = client.get(path), client.get("/api/no-such-page" if path.startswith("/api/") else "/no-such-page")
    assert answer.status_code == other.status_code == 404
    assert answer.headers.keys() == other.headers.keys()
    assert (
        answer.content.replace(answer["X-Request-ID"].encode(), b"").split(b'"timestamp"')[0]
        == (other.content.replace(other["X-Request-ID"].encode(), b"").split(b'"timestamp"')[0])
    )


@pytest.mark.parametrize(
    "path", ["/favicon.ico", "/robots.txt", "/.well-known/change-password", "/apple-touch-icon.png", "/static/css/x.css"]
)
def test_what_browsers_ask_for_by_themselves_is_no_decoy(path: str) -> None:
    assert not decoy(path)


def request_with(**meta: Any) -> Any:
    request = FACTORY.generic(meta.pop("method", "GET"), meta.pop("path", "/"), meta.pop("data", b""), meta.pop("content_type", ""))
    request.META.update(meta)
    return request


@pytest.mark.parametrize(
    ("meta", "name"),
    [
        ({"HTTP_X_CLINIC_ID": "riverside,hillcrest"}, "header.doubled"),
        ({"HTTP_AUTHORIZATION": "Bearer a,Bearer b"}, "header.doubled"),
        ({"HTTP_X_ANYTHING": "x" * 9000}, "header.size"),
        ({"HTTP_USER_AGENT": "x\x01y"}, "header.control"),
        ({f"HTTP_X_{number}": "1" for number in range(70)}, "header.many"),
        ({"path": "/?a=" + "x" * 5000}, "size.address"),
        ({"method": "POST", "content_type": "application/xml", "data": b"<a/>"}, "body.type"),
        ({"method": "POST", "content_type": "application/x-java-serialized-object", "data": b"x"}, "body.type"),
    ],
)
def test_a_request_of_an_odd_shape_is_noted(meta: dict[str, Any], name: str) -> None:
    assert name in screened(request_with(**meta)).names


def test_no_body_is_read(rf: Any) -> None:
    """What is wrong in it the parsers say; to look for it here would cost a stranger nothing and us much."""
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        request = rf.post("/api/v2/patients", b"[" * 1000, content_type=kind)
        assert screened(request) is NOTHING
        assert not hasattr(request, "_body") and not hasattr(request, "_post")


def test_nothing_is_altered(client: Client, riverside: Place, rf: Any) -> None:
    request = rf.post("/x/?a=%27%20OR%201=1", b'{"a": "<script>"}', content_type="application/json")
    before = dict(request.META)
    screened(request)
    assert before == request.META
    assert request.body == b'{"a": "<script>"}'


def test_the_patterns_end_soon_whatever_they_are_given() -> None:
    """No pattern backtracks without end: each of these is longer than what is looked at."""
    for text in (
        "a" * 5000,
        "'" * 5000,
        "<" * 5000,
        "((" * 3000,
        "/*" * 3000,
        "%25" * 2000,
        "1 or " * 1500,
        "\\\\" * 3000,
        "{{" * 3000,
        "$ " * 3000,
    ):
        screened(PLACES["an identifier"](text))
        screened(PLACES["an id in a header"](text))


def test_no_cursor_of_ours_is_flagged() -> None:
    """Sealed places are random letters: some of them would look like a comment in SQL."""
    for cursor in ("A" * 40 + "==--", "x--" + "B" * 40, "or--" + "C" * 40 + "=='--"):
        assert not list(in_parameter("cursor", cursor))
