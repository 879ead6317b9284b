"""An example for every body and answer of the OpenAPI document, made from its schema and from what fields are usually called."""

from typing import Any

from core.api.codes import Code

Schema = dict[str, Any]

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
REQUEST_ID = "0198b2c4-5d1e-7a3f-8c21-4f6e9a0b7d53"
BY_NAME: dict[str, Any] = {
    "access": "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEifQ.e30.c2lnbmF0dXJl",
    "refresh": "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEifQ.e30.c2lnbmF0dXJl",
    "actor": "Robin Fields",
    "amount": "45.00",
    "city": "Riverside",
    "country": "GB",
    "currency": "GBP",
    "date_of_birth": "1961-02-03",
    "duration_minutes": 20,
    "email": "inge@example.com",
    "end": "2026-03-17T09:20:00Z",
    "expires_in": 900,
    "events": ["patient.changed", "appointment.booked"],
    "family_name": "Testmann",
    "full_name": "Ingeborg Testmann",
    "gender": "woman",
    "given_name": "Ingeborg",
    "language": "de",
    "letter": "A",
    "line1": "1 High Street",
    "line2": "Flat 2",
    "locale": "en-GB",
    "middle_name": "Maria",
    "mrn": "RV-0000123",
    "name": "Main street",
    "national_id": "QQ 12 34 56 C",
    "next": "Q2lwaGVydGV4dA==",
    "notes": "Prefers mornings.",
    "page": 1,
    "page_size": 20,
    "pages": 62,
    "password": "a long pass phrase",
    "phone": "+442079460018",
    "phone_alt": "+442079460019",
    "platform_role": "",
    "policy_number": "P-1002",
    "postal_code": "AB1 2CD",
    "preferred_name": "Inge",
    "previous": None,
    "provider": None,
    "reason": "Asked for by phone",
    "reasons": ["name", "date_of_birth"],
    "region": "Kent",
    "relationship": "husband",
    "request_id": REQUEST_ID,
    "search": "testmann inge",
    "slot_minutes": 20,
    "slug": "riverside",
    "start": "2026-03-17T09:00:00Z",
    "time_zone": "Europe/London",
    "title": "Consultation",
    "token": "A012",
    "total": 1234,
    "url": "https://system.example.org/hms",
    "version": 3,
}
BY_FORMAT: dict[str, Any] = {
    "binary": "the file",
    "uuid": ID,
    "date-time": "2026-03-17T08:55:12Z",
    "date": "2026-12-31",
    "time-local": "09:00",
    "email": "inge@example.com",
    "decimal": "45.00",
}
BY_TYPE: dict[str, Any] = {"string": "As written", "integer": 1, "number": 1.5, "boolean": True}


def error_example(code: Code) -> dict[str, Any]:
    details = []
    if code.name == "VALIDATION_ERROR":
        details = [{"field": "phone", "code": "invalid", "message": "This is not a phone number."}]
    elif code.name == "BAD_REQUEST":
        details = [{"field": "colour", "code": "unknown_parameter", "message": "There is no such parameter."}]
    body = {"code": code.name, "message": code.example, "details": details}
    return {"error": {**body, "request_id": REQUEST_ID, "timestamp": "2026-03-17T08:55:12Z"}}


def add_examples(document: Schema) -> None:
    """Give every body and answer an example, and every parameter that can't be left out.

    The others get none: the browsable document would send them along.
    """
    schemas = document["components"]["schemas"]
    for methods in document["paths"].values():
        for operation in methods.values():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for media in part.get("content", {}).values():
                    media.setdefault("example", example_of(media["schema"], schemas))
            for parameter in operation.get("parameters", []):
                if parameter.get("required"):
                    parameter.setdefault("example", example_of(parameter["schema"], schemas, parameter["name"]))


def example_of(schema: Schema, schemas: Schema, name: str = "") -> Any:
    """A value that the schema allows and that a person would believe."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas, name)
    for joined in ("allOf", "oneOf", "anyOf"):
        options = [one for one in schema.get(joined, ()) if one.get("type") != "null" and one.get("enum") not in ([None], [""])]
        if options:
            return example_of(options[0], schemas, name)
    kinds = schema.get("type", "object")
    kind = next((one for one in kinds if one != "null"), "null") if isinstance(kinds, list) else kinds
    if kind == "object":
        return {one: example_of(inner, schemas, one) for one, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return BY_NAME[name] if name in BY_NAME else [example_of(schema["items"], schemas, name)]
    for choice in ("const", "default"):
        if choice in schema:
            return schema[choice]
    if "enum" in schema:
        return next(value for value in schema["enum"] if value is not None)
    return _plain_example(schema, kind, name)


def _plain_example(schema: Schema, kind: str, name: str) -> Any:
    if schema.get("format") == "time-local":
        return "17:30" if name.startswith("end") else BY_FORMAT["time-local"]
    if schema.get("format") in ("uuid", "date-time", "date") and not isinstance(BY_NAME.get(name), str):
        return BY_FORMAT[schema["format"]]
    if BY_NAME.get(name) is not None and isinstance(BY_NAME[name], {"string": str, "integer": int}.get(kind, object)):
        return BY_NAME[name]
    value = BY_FORMAT.get(schema.get("format", ""), BY_TYPE[kind])
    return max(value, schema.get("minimum", value)) if kind in ("integer", "number") else value
