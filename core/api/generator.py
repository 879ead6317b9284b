"""The OpenAPI document's generator, told that versions are not its business: the document has version 2's paths alone."""

from typing import Any

from drf_spectacular.generators import SchemaGenerator


class HMSSchemaGenerator(SchemaGenerator):
    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)  # type: ignore[no-untyped-call]
        view.versioning_class = None
        return view
