"""How each content delivery network is told to forget what it keeps, to its public API description."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

from django.utils import timezone

from core.cdn.aws import signed


@dataclass(frozen=True, slots=True)
class Account:
    """`zone` is the zone, the distribution or the service; of CloudFront `token` is the key's id, a colon and its secret."""

    provider: str
    zone: str
    token: str = field(repr=False)
    api: str = ""


@dataclass(frozen=True, slots=True)
class Purge:
    """One request to the provider."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Provider:
    """`purges` makes the requests for these addresses, None for all there are; `is_done` reads the answer to one."""

    api: str
    purges: Callable[[Account, Sequence[str] | None], Iterator[Purge]]
    is_done: Callable[[bytes], bool]


# --- Cloudflare: POST /client/v4/zones/{zone}/purge_cache; 30 addresses at once on every plan -----------------------------------
CLOUDFLARE_MOST = 30


def _cloudflare(account: Account, urls: Sequence[str] | None) -> Iterator[Purge]:
    path = f"/client/v4/zones/{quote(account.zone, safe='')}/purge_cache"
    headers = {"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"}
    if urls is None:
        yield Purge(path, b'{"purge_everything": true}', headers)
        return
    for some in batched(urls, CLOUDFLARE_MOST):
        yield Purge(path, json.dumps({"files": some}).encode(), headers)


def _cloudflare_says_done(answer: bytes) -> bool:
    return _said(answer).get("success") is True


# --- CloudFront: POST /2020-05-31/distribution/{id}/invalidation, XML, signed; at most 3,000 paths at work ----------------------
CLOUDFRONT_MOST = 1000
BATCH = (
    '<?xml version="1.0" encoding="UTF-8"?><InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">'
    "<Paths><Quantity>{count}</Quantity><Items>{items}</Items></Paths><CallerReference>{reference}</CallerReference></InvalidationBatch>"
)


def _cloudfront(account: Account, urls: Sequence[str] | None) -> Iterator[Purge]:
    key_id, _, secret = account.token.partition(":")
    path = f"/2020-05-31/distribution/{quote(account.zone, safe='')}/invalidation"
    paths = ["/*"] if urls is None else [urlsplit(url).path for url in urls]
    for some in batched(paths, CLOUDFRONT_MOST):
        now = timezone.now()
        items = "".join(f"<Path>{escape(one)}</Path>" for one in some)
        reference = f"hms-{now:%Y%m%d%H%M%S%f}-{hashlib.sha256(items.encode()).hexdigest()[:12]}"
        body = BATCH.format(count=len(some), items=items, reference=reference).encode()
        proof = signed(
            method="POST", host=urlsplit(account.api).netloc, path=path, body=body,
            key_id=key_id, secret=secret, region="us-east-1", service="cloudfront", now=now,
        )  # fmt: skip
        yield Purge(path, body, {**proof, "Content-Type": "application/xml"})


# --- Fastly: POST /service/{id}/purge_all, POST /purge/{address without its scheme} -------------------------------------------
def _fastly(account: Account, urls: Sequence[str] | None) -> Iterator[Purge]:
    headers = {"Fastly-Key": account.token, "Accept": "application/json"}
    if urls is None:
        yield Purge(f"/service/{quote(account.zone, safe='')}/purge_all", b"", headers)
        return
    for url in urls:
        parts = urlsplit(url)
        yield Purge(f"/purge/{parts.netloc}{parts.path}", b"", headers)


def _fastly_says_done(answer: bytes) -> bool:
    return _said(answer).get("status") == "ok"


def _said(answer: bytes) -> Mapping[str, object]:
    """The answer's object; an empty one for what is none."""
    try:
        said = json.loads(answer)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


PROVIDERS = {
    "cloudflare": Provider("https://api.cloudflare.com", _cloudflare, _cloudflare_says_done),
    "cloudfront": Provider("https://cloudfront.amazonaws.com", _cloudfront, lambda answer: b"<Invalidation" in answer),
    "fastly": Provider("https://api.fastly.com", _fastly, _fastly_says_done),
}
