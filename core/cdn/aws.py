"""Signature version 4 of AWS, for one request with a body and without a query.

Written to https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"


def signed(
    *, method: str, host: str, path: str, body: bytes, key_id: str, secret: str, region: str, service: str, now: datetime
) -> Mapping[str, str]:
    """The headers that prove who asks: Host, X-Amz-Date and Authorization. `now` is in UTC."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-date": moment}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join([method, quote(path), "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (moment[:8], region, service, "aws4_request"):
        key = _mac(key, part)
    proof = _mac(key, to_sign).hex()
    credential = f"{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={proof}"
    return {"Host": host, "X-Amz-Date": moment, "Authorization": credential}


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
