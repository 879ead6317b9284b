"""A small S3 on loopback, that believes nobody: each request's signature (version 4) is computed anew and compared."""

import hashlib
import hmac
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

KEY, SECRET, REGION, BUCKET = "HMSBACKUPKEY", "a-secret-of-the-test", "eu-central-1", "clinic-backups"
HEAD = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)")
ANSWER = '<?xml version="1.0" encoding="UTF-8"?>'


@dataclass
class SmallS3:
    """`objects` by key; `uploads`: parts of uploads that are not complete. `parts_taken`: of one upload, before it is full."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    parts_taken: int | None = None

    def target(self, prefix: str = "hms/nightly") -> str:
        return f"s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:{self.port}&region={REGION}"


@contextmanager
def small_s3() -> Iterator[SmallS3]:
    s3 = SmallS3()

    class Handler(_Handler):
        state = s3

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    s3.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield s3
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    state: SmallS3
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        self.key, self.query = unquote(parts.path).removeprefix(f"/{BUCKET}").lstrip("/"), dict(parse_qsl(parts.query, True))
        if not self._is_signed(parts.path):
            self.state.refused.append(self.command)
            return self._answer(403, _error("SignatureDoesNotMatch"))
        getattr(self, f"_{self.command.lower()}")()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815  (http.server wants these names)

    def _is_signed(self, path: str) -> bool:
        match = HEAD.fullmatch(self.headers.get("Authorization", ""))
        if not match or match[1] != KEY or match[3] != REGION:
            return False
        day, names, signature = match[2], match[4].split(";"), match[5]
        told = self.headers.get("x-amz-content-sha256", "")
        if told != "UNSIGNED-PAYLOAD" and told != hashlib.sha256(self.body).hexdigest():
            return False
        headers = "".join(f"{name}:{' '.join((self.headers.get(name) or '').split())}\n" for name in names)
        query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(self.query.items()))
        request = "\n".join([self.command, path, query, headers, match[4], told])
        scope = f"{day}/{REGION}/s3/aws4_request"
        words = ["AWS4-HMAC-SHA256", self.headers.get("x-amz-date", ""), scope, hashlib.sha256(request.encode()).hexdigest()]
        key = f"AWS4{SECRET}".encode()
        for part in (day, REGION, "s3", "aws4_request", "\n".join(words)):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(key.hex(), signature)

    def _get(self) -> None:
        if self.key:
            content = self.state.objects.get(self.key)
            return self._answer(404, _error("NoSuchKey")) if content is None else self._answer(200, content)
        prefix = self.query.get("prefix", "")
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag>"
            f"<Size>{len(content)}</Size></Contents>"
            for key, content in sorted(self.state.objects.items())
            if key.startswith(prefix)
        )
        self._answer(200, f"{ANSWER}<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>".encode())

    _head = _get

    def _post(self) -> None:
        if "uploads" in self.query:
            upload = f"upload-{len(self.state.uploads)}"
            self.state.uploads[upload] = {}
            names = f"<Bucket>{BUCKET}</Bucket><Key>{escape(self.key)}</Key><UploadId>{upload}</UploadId>"
            return self._answer(200, f"{ANSWER}<InitiateMultipartUploadResult>{names}</InitiateMultipartUploadResult>".encode())
        if "delete" in self.query:
            return self._delete_many()
        pieces = self.state.uploads.pop(self.query["uploadId"])
        self.state.objects[self.key] = b"".join(pieces[number] for number in sorted(pieces))
        names = f"<Bucket>{BUCKET}</Bucket><Key>{escape(self.key)}</Key><ETag>&quot;x&quot;</ETag>"
        self._answer(200, f"{ANSWER}<CompleteMultipartUploadResult>{names}</CompleteMultipartUploadResult>".encode())

    def _delete_many(self) -> None:
        keys = [unescape(key) for key in re.findall(r"<Key>([^<]*)</Key>", self.body.decode())]
        for key in keys:
            self.state.objects.pop(key, None)
        gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._answer(200, f"{ANSWER}<DeleteResult>{gone}</DeleteResult>".encode())

    def _put(self) -> None:
        if "partNumber" not in self.query:
            self.state.objects[self.key] = self.body
            return self._answer(200)
        upload = self.state.uploads[self.query["uploadId"]]
        if self.state.parts_taken is not None and len(upload) >= self.state.parts_taken:
            return self._answer(403, _error("QuotaExceeded"))
        upload[int(self.query["partNumber"])] = self.body
        self._answer(200)

    def _delete(self) -> None:
        if "uploadId" in self.query:
            self.state.uploads.pop(self.query["uploadId"], None)
        self.state.objects.pop(self.key, None)
        self._answer(204)

    def _answer(self, status: int, body: bytes = b"") -> None:
        with suppress(ConnectionError):  # the client may have given up
            self._send(status, body)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in (("Content-Length", len(body)), ("ETag", '"x"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")):
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the tests' own output."""


def _error(code: str) -> bytes:
    return f"{ANSWER}<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
