"""What each content delivery network is told, and what comes of its answers. The networks are servers on loopback."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.cdn.aws import signed
from core.cdn.services import purge
from core.outbound.registry import registry
from tests.factories.endpoints import Endpoint, Told, endpoints

SHEET = "https://cdn.example.org/static/css/hms.css"
AWS = "{http://cloudfront.amazonaws.com/doc/2020-05-31/}"
DONE = {
    "cloudflare": Told(200, body=b'{"success": true, "errors": []}'),
    "cloudfront": Told(201, body=b'<?xml version="1.0"?><Invalidation><Id>I1</Id></Invalidation>'),
    "fastly": Told(200, body=b'{"status": "ok", "id": "1-2"}'),
}


@pytest.fixture
def network(settings: Any, tmp_path: Path) -> Iterator[Endpoint]:
    """With two collected files, of which one is named in the manifest."""
    settings.HMS_CDN_URL, settings.HMS_CDN_ZONE = "https://cdn.example.org", "zone1"
    settings.HMS_CDN_TOKEN = "KEY:secret-of-the-network"
    settings.STATIC_ROOT, settings.STATIC_URL = tmp_path, "https://cdn.example.org/static/"
    hashed = {"css/hms.css": "css/hms.0123456789ab.css", "js/frame.js": "js/frame.0123456789ab.js"}
    for name in hashed:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("")
    (tmp_path / "staticfiles.json").write_text(json.dumps({"version": "1.1", "paths": hashed}))
    settings.STORAGES = {**settings.STORAGES}  # a new object, with these settings
    with endpoints(1) as (end,):
        settings.HMS_CDN_API_URL = end.url
        yield end
    registry.forget()


def by(network: Endpoint, settings: Any, provider: str) -> None:
    settings.HMS_CDN_PROVIDER = provider
    network.answer = lambda _: DONE[provider]


def test_cloudflare(network: Endpoint, settings: Any) -> None:
    by(network, settings, "cloudflare")
    assert purge(None) == 1
    assert purge(["css/hms.css"]) == 1
    everything, files = network.taken
    assert everything.path == files.path == "/client/v4/zones/zone1/purge_cache"
    assert everything.headers["Authorization"] == "Bearer KEY:secret-of-the-network"
    assert json.loads(everything.body) == {"purge_everything": True}
    assert json.loads(files.body) == {"files": [SHEET, SHEET.replace("hms.css", "hms.0123456789ab.css")]}


def test_cloudflare_takes_thirty_at_once(network: Endpoint, settings: Any) -> None:
    by(network, settings, "cloudflare")
    assert purge(["js/frame.js"] * 16) == 2
    assert [len(json.loads(one.body)["files"]) for one in network.taken] == [30, 2]


def test_cloudfront(network: Endpoint, settings: Any) -> None:
    by(network, settings, "cloudfront")
    assert purge(["css/hms.css"]) == 1
    assert purge(None) == 1
    files, everything = network.taken
    assert files.path == "/2020-05-31/distribution/zone1/invalidation"
    batch = ElementTree.fromstring(files.body)  # noqa: S314  (ours)
    assert [one.text for one in batch.iter(f"{AWS}Path")] == ["/static/css/hms.css", "/static/css/hms.0123456789ab.css"]
    assert batch.findtext(f"{AWS}Paths/{AWS}Quantity") == "2"
    assert batch.findtext(f"{AWS}CallerReference") not in ("", None, _reference(everything.body))
    assert b"<Path>/*</Path>" in everything.body
    moment = datetime.strptime(files.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    proof = signed(
        method="POST", host=files.headers["Host"], path=files.path, body=files.body,
        key_id="KEY", secret="secret-of-the-network", region="us-east-1", service="cloudfront", now=moment,
    )  # fmt: skip
    assert files.headers["Authorization"] == proof["Authorization"]
    assert "secret-of-the-network" not in str(files.headers)


def _reference(body: bytes) -> str | None:
    return ElementTree.fromstring(body).findtext(f"{AWS}CallerReference")  # noqa: S314


def test_the_signature_is_the_one_of_aws() -> None:
    """`post-vanilla` of AWS's published suite for Signature Version 4."""
    proof = signed(
        method="POST", host="example.amazonaws.com", path="/", body=b"", key_id="AKIDEXAMPLE",
        secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region="us-east-1", service="service",
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )  # fmt: skip
    assert re.search("Signature=(.*)", proof["Authorization"])[1] == (  # type: ignore[index]
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )


def test_fastly(network: Endpoint, settings: Any) -> None:
    by(network, settings, "fastly")
    assert purge(None) == 1
    assert purge(["css/hms.css"]) == 2
    assert [one.path for one in network.taken] == [
        "/service/zone1/purge_all",
        "/purge/cdn.example.org/static/css/hms.css",
        "/purge/cdn.example.org/static/css/hms.0123456789ab.css",
    ]
    assert {one.headers["Fastly-Key"] for one in network.taken} == {"KEY:secret-of-the-network"}


REFUSALS = [
    ("cloudflare", Told(200, body=b'{"success": false, "errors": [{"code": 1012}]}'), "refused: HTTP 200"),
    ("cloudflare", Told(403, body=b"{}"), "refused: HTTP 403"),
    ("cloudfront", Told(200, body=b"<html>a page of some proxy</html>"), "refused: HTTP 200"),
    ("fastly", Told(200, body=b"not JSON"), "refused: HTTP 200"),
    ("fastly", Told(503), "no answer: HTTP 503"),
]


@pytest.mark.parametrize(("provider", "told", "said"), REFUSALS)
def test_a_refusal_is_told(network: Endpoint, settings: Any, provider: str, told: Told, said: str) -> None:
    by(network, settings, provider)
    network.answer = lambda _: told
    with pytest.raises(CommandError, match=said) as caught:
        call_command("purge_cdn", everything=True)
    assert "secret" not in str(caught.value)


def test_what_can_not_be_done_is_said_before_anybody_is_asked(network: Endpoint, settings: Any) -> None:
    by(network, settings, "cloudflare")
    with pytest.raises(CommandError, match=r"no static file no\.css"):
        call_command("purge_cdn", "no.css")
    with pytest.raises(CommandError, match="Name files"):
        call_command("purge_cdn")
    with pytest.raises(CommandError, match="Name files"):
        call_command("purge_cdn", "css/hms.css", everything=True)
    for name, value in (("HMS_CDN_TOKEN", ""), ("HMS_CDN_PROVIDER", "other"), ("HMS_CDN_URL", "")):
        setattr(settings, name, value)
        with pytest.raises(CommandError, match=name):
            call_command("purge_cdn", everything=True)
    assert network.taken == []


def test_the_command_says_what_it_did(network: Endpoint, settings: Any) -> None:
    by(network, settings, "fastly")
    output = StringIO()
    call_command("purge_cdn", "/static/js/frame.js", stdout=output)
    assert output.getvalue() == "Done, with 2 requests.\n"
