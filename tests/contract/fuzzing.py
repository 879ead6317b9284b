"""schemathesis against a running HMS: requests made from the OpenAPI document, right and wrong ones, and a judge of the answers."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.factories.callers import Caller
from tests.factories.openapi import document
from tests.factories.server import Server

# Not sent, since it would hide the rest of the request: another clinic's name answers 403 to everything, a key that was used
# before 409, a record's other tag 412, and with `fields` an answer is partial, which a schema can't say. All of them have tests
# of their own.
LEFT_OUT = {"X-Clinic-ID", "clinic_id", "fields", "Idempotency-Key", "If-Match"}
# Not judged: the rules of the domain go beyond JSON Schema (a birth lies in the past, a visit within working hours), so a body
# that fits the schema may still be refused.
NOT_JUDGED = ("positive_data_acceptance",)
SIGN_IN = "/auth/(token|logout)"  # left out: wrong passwords would lock the accounts that ask, and who signs out asks no more
STREAMS = "/events$|/sse/queue-updates"  # left out: their answers don't end
NOUNS = ("patient", "service", "provider", "location", "room", "department")  # as references are called; an s makes the list


def described(version: str, caller: Caller) -> dict[str, Any]:
    """The document without what is left out, and with the clinic's own records where a path or a field names one."""
    found: dict[str, Any] = json.loads(json.dumps(document(version)))
    records = {noun: _record(f"{noun}s", caller) for noun in NOUNS}
    for path, methods in found["paths"].items():
        noun = re.match(r"/api/v\d/([\w-]+)/\{", path)
        own = _record(noun[1], caller) if noun else None
        for operation in methods.values():
            operation["parameters"] = [one for one in operation["parameters"] if one["name"] not in LEFT_OUT]
            for one in operation["parameters"]:
                wanted = own if one["in"] == "path" else records.get(one["name"])
                if wanted and one["schema"].get("format") == "uuid":
                    one["schema"] = {"type": "string", "enum": [wanted]}
                    one.pop("example", None)
    for schema in found["components"]["schemas"].values():
        for name, one in schema.get("properties", {}).items():
            if records.get(name) and one.get("format") == "uuid" and "additionalProperties" in schema:
                one["enum"] = [records[name]] + ([None] if "null" in one["type"] else [])
    for methods in found["paths"].values():
        for operation in methods.values():
            for kind, media in operation.get("requestBody", {}).get("content", {}).items():
                media.pop("example", None)  # it names nobody's records
                if kind == "multipart/form-data":
                    _allow_empty(found["components"]["schemas"][media["schema"]["$ref"].rsplit("/", 1)[-1]])
    return found


def _allow_empty(schema: dict[str, Any]) -> None:
    """In a form an empty field is one that was left out; a format can't say so."""
    for name, one in schema["properties"].items():
        if one.get("format") in ("date", "date-time", "uuid") and name not in schema.get("required", ()):
            schema["properties"][name] = {"anyOf": [one, {"type": "string", "maxLength": 0}]}


def _record(noun: str, caller: Caller) -> str | None:
    rows = caller.get(f"/api/v2/{noun}").body.get("data", [])
    return str(rows[0]["id"]) if rows else None


def run(server: Server, caller: Caller, version: str, folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """All checks but NOT_JUDGED, on the same requests every time."""
    schema = folder / "openapi.json"
    schema.write_text(json.dumps(described(version, caller)))
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "run", str(schema), "--url", server.url),
        *("--header", f"Authorization: Bearer {caller.token}", "--header", "X-Clinic-ID: riverside"),
        *("--exclude-checks", ",".join(NOT_JUDGED), "--exclude-path-regex", f"{SIGN_IN}|{STREAMS}"),
        *("--generation-deterministic", "--continue-on-failure", "--no-color", "--suppress-health-check", "all"),
        *("--request-timeout", "30", *options),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=550)
