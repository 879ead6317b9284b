"""Two versions from one code base: how one is chosen, what its lists look like, and that the old one says it will go."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from django.conf import settings

from core.accounts.roles import Role
from core.api.versioning import IN_PATHS, NEWEST
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled
from tests.factories.growth import grow
from tests.factories.routes import NEW, OLD, Route, routes
from tests.factories.world import Place, World

NOBODYS = "01890a5d-ac96-774b-bcce-b302099a8057"
FAREWELL = {"X-API-Deprecated", "X-API-Sunset", "Deprecation", "Sunset", "Link"}


@pytest.fixture
def api(riverside: Place) -> ApiClient:
    return ApiClient(riverside.users[Role.CLINIC_ADMIN])


def headers(said: str | None) -> dict[str, str]:
    return {"X_API_Version": said} if said else {}


@pytest.mark.parametrize(
    ("path", "header", "version"),
    [
        ("/api/v1/auth/me", None, "1.0"),
        ("/api/v2/auth/me", None, "2.0"),
        ("/api/v1/auth/me", "2.0", "1.0"),  # the path wins, then the header
        ("/api/v2/auth/me?api_version=1.0", "1.0", "2.0"),
        ("/api/auth/me", None, "2.0"),
        ("/api/auth/me", "1.0", "1.0"),
        ("/api/auth/me", "2.0", "2.0"),
        ("/api/auth/me?api_version=2.0", "1.0", "1.0"),
        ("/api/auth/me?api_version=1.0", None, "1.0"),
        ("/api/auth/me?api_version=2.0", None, "2.0"),
    ],
)
def test_a_version_is_chosen_by_path_then_header_then_query(api: ApiClient, path: str, header: str | None, version: str) -> None:
    answer = api.get(path, **headers(header))
    assert (answer.status_code, answer["X-API-Version"]) == (200, version)
    assert {name for name in FAREWELL if name in answer} == (FAREWELL if version == "1.0" else set())


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/api/v3/auth/me", None),
        ("/api/v7", None),
        ("/api/v2.1/auth/me", None),
        ("/api/v1.0/auth/me", "1.0"),
        ("/api/auth/me", "7.0"),
        ("/api/auth/me", "2"),
        ("/api/auth/me?api_version=7.0", None),
        ("/api/no-such-thing", "7.0"),
        ("/api/schema/", "7.0"),
    ],
)
def test_an_unknown_version_is_refused_and_the_known_ones_are_named(api: ApiClient, path: str, header: str | None) -> None:
    answer = api.get(path, **headers(header))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["details"][0]["code"]) == ("BAD_REQUEST", "unknown_version")
    assert all(known in error["message"] for known in IN_PATHS)
    assert answer["X-API-Version"] == NEWEST and "default-src 'self'" in answer["Content-Security-Policy"]


def test_both_versions_have_the_same_operations_of_the_same_views() -> None:
    def of(kind: str) -> set[tuple[Any, ...]]:
        return {(r.method, r.path.replace(OLD, NEW), r.resource, r.action, r.view) for r in routes(kind)}

    assert of("api-v1") == of("api")


def deprecated_answers(api: ApiClient) -> dict[int, Any]:
    tag = api.get("/api/v1/locations")["ETag"]
    return {
        200: api.get("/api/v1/locations"),
        304: api.get("/api/v1/locations", If_None_Match=tag),
        400: api.get("/api/v1/locations?no_such_thing=1"),
        401: ApiClient().get("/api/v1/locations"),
        404: api.get(f"/api/v1/locations/{NOBODYS}"),
        405: api.request("PUT", "/api/v1/locations", {}),
        413: api.post("/api/v1/locations", {"name": "x" * 1_100_000}),
    }


def test_every_answer_of_the_old_version_says_that_it_will_go(api: ApiClient) -> None:
    api.headers["X-Request-ID"] = "farewell-0001"
    for status, answer in deprecated_answers(api).items():
        assert answer.status_code == status
        assert answer["X-API-Deprecated"] == "true"
        assert answer["X-API-Sunset"] == settings.HMS_API_V1_SUNSET
        since = datetime.fromtimestamp(int(re.fullmatch(r"@(\d+)", answer["Deprecation"])[1]), UTC)  # type: ignore[index]
        until = parsedate_to_datetime(answer["Sunset"])
        assert since < until and until.date().isoformat() == settings.HMS_API_V1_SUNSET
        successor = f"/api/v2/locations/{NOBODYS}" if status == 404 else "/api/v2/locations"
        assert answer["Link"] == f'<{successor}>; rel="successor-version"'


def test_a_bad_token_and_an_unknown_address_say_it_too(api: ApiClient) -> None:
    unknown = api.get("/api/v1/no-such-thing")
    api.headers["Authorization"] = "Bearer nonsense"
    refused = api.get("/api/v1/locations")
    assert (unknown.status_code, refused.status_code) == (404, 401)
    assert all({*answer.headers} >= FAREWELL for answer in (unknown, refused))


@pytest.mark.parametrize("path", ["/api/v1/loc\u2028a\ttions", '/api/v1/a"><b', "/api/v1/патиенты"])
def test_an_odd_address_stays_one_header(api: ApiClient, path: str) -> None:
    assert re.fullmatch(r"</api/v2/[!-;=?-~]+>; rel=\"successor-version\"", api.get(path)["Link"])


# --- Lists of version 1 -------------------------------------------------------------------------------------------------
LISTS = [
    route
    for route in routes("api-v1", methods=("GET",))
    if route.view.actions["get"] == "list" and route.view.cls.pagination_class is not None
]


def by_id(route: Route) -> str:
    return route.id


@pytest.mark.parametrize("route", LISTS, ids=by_id)
def test_a_list_in_numbered_pages_holds_what_the_list_by_cursor_holds(route: Route, world: World) -> None:
    place = world.riverside
    grow(place, 3)
    api, path = ApiClient(place.users[Role.CLINIC_ADMIN]), filled(route, place)
    whole = [row["id"] for row in api.get(f"{path.replace(OLD, NEW)}?limit=100").json()["data"]]
    found: list[str] = []
    for number in range(1, -(-len(whole) // 2) + 1):
        body = api.get(f"{path}?page={number}&page_size=2").json()
        assert set(body) == {"data", "pagination"}
        pages = -(-len(whole) // 2)
        assert body["pagination"] == {"page": number, "page_size": 2, "total": len(whole), "pages": pages}
        found += [row["id"] for row in body["data"]]
    assert found == whole


@pytest.mark.parametrize("route", LISTS, ids=by_id)
def test_a_page_that_there_is_not_is_refused(route: Route, world: World) -> None:
    api, path = ApiClient(world.riverside.users[Role.CLINIC_ADMIN]), filled(route, world.riverside)
    for query in ("page=0", "page=-1", "page=x", "page=", "page=9999999999", "page_size=0", "page_size=101", "page=99999"):
        answer = api.get(f"{path}?{query}")
        assert answer.status_code == 400
        detail = answer.json()["error"]["details"][0]
        assert detail["field"] == query.partition("=")[0]
        assert detail["code"] == {"page=99999": "out_of_range", "page=": "required"}.get(query, "invalid")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/locations?limit=2", "limit"),
        ("/api/v1/locations?cursor=abc", "cursor"),
        ("/api/v2/locations?page=1", "page"),
        ("/api/v2/locations?page_size=2", "page_size"),
    ],
)
def test_each_way_of_paging_belongs_to_its_version(api: ApiClient, path: str, name: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0] == {
        "field": name,
        "code": "unknown_parameter",
        "message": "There is no such parameter.",
    }


def test_a_parameter_is_given_once_unless_it_takes_several_values(api: ApiClient) -> None:
    for twice in ("ordering=name&ordering=-name", "is_active=true&is_active=false", "limit=2&limit=3", "clinic_id=a&clinic_id=b"):
        answer = api.get(f"locations?{twice}")
        assert answer.status_code in (400, 403)
    refused = api.get("locations?ordering=name&ordering=-name").json()["error"]["details"][0]
    assert (refused["field"], refused["code"]) == ("ordering", "duplicate")
    separate, joined = (api.get(f"patients?{q}").json()["data"] for q in ("status=active&status=merged", "status=active,merged"))
    assert separate == joined and len(separate) > len(api.get("patients?status=merged").json()["data"])
    assert api.get("locations?fields=id&fields=name").json()["data"] == api.get("locations?fields=id,name").json()["data"]


def test_twenty_rows_are_a_page_unless_said_otherwise(api: ApiClient) -> None:
    assert api.get("/api/v1/staff").json()["pagination"]["page_size"] == 20


def test_an_empty_list_has_a_first_page(api: ApiClient) -> None:
    body = api.get("/api/v1/patients?mrn=NO-SUCH-1").json()
    assert body == {"data": [], "pagination": {"page": 1, "page_size": 20, "total": 0, "pages": 0}}


@pytest.mark.parametrize("path", ["patients?search=", "patients/search?query="])
def test_a_list_that_is_not_cut_is_one_page(api: ApiClient, riverside: Place, path: str) -> None:
    body = api.get(f"/api/v1/{path}{riverside.patients[0].mrn}").json()
    count = len(body["data"])
    assert count and body["pagination"] == {"page": 1, "page_size": count, "total": count, "pages": 1}


def test_what_is_searched_for_has_no_page(api: ApiClient) -> None:
    answer = api.get("/api/v1/patients?search=okafor&page=1")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "page")


def test_neither_version_gets_the_others_answer_from_the_cache_or_by_its_tag(api: ApiClient) -> None:
    tags = set()
    for version in (*IN_PATHS, *IN_PATHS):
        answer = api.get("/api/locations", X_API_Version=version)
        assert ("pagination" in answer.json()) is (version == "1.0")
        tags.add(answer["ETag"])
    assert len(tags) == 2


def test_a_page_that_gets_a_successor_is_another_answer(riverside: Place, api: ApiClient) -> None:
    """The rows are the same; `next` is not."""
    count = len(api.get("locations?limit=100").json()["data"])
    for path in (f"locations?limit={count}", f"/api/v1/locations?page_size={count}"):
        before = api.get(path)
        assert api.post("locations", {"name": f"Zzz after {path}"}).status_code == 201
        after = api.get(path, If_None_Match=before["ETag"])
        assert after.status_code == 200
        assert after.json()["data"] == before.json()["data"]


def test_an_idempotency_key_belongs_to_one_version(api: ApiClient) -> None:
    body = {"search": "okafor"}
    for version, status in (("2.0", 200), ("2.0", 200), ("1.0", 409)):
        answer = api.post("/api/patients/search", body, Idempotency_Key="of-one-version", X_API_Version=version)
        assert answer.status_code == status
