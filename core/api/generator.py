"""The OpenAPI document's generator: one document for each version of the API, with that version's paths alone."""

from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from core.api.versioning import IN_PATHS, NEWEST


class HMSSchemaGenerator(SchemaGenerator):
    def __init__(self, *args: Any, api_version: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, api_version=api_version or NEWEST, **kwargs)  # type: ignore[no-untyped-call]
        self.prefix = f"/api/{IN_PATHS[self.api_version]}/"

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)  # type: ignore[no-untyped-call]
        view.versioning_class = None  # the middleware's business
        return view

    def _initialise_endpoints(self) -> None:
        super()._initialise_endpoints()  # type: ignore[no-untyped-call]
        self.endpoints = [endpoint for endpoint in self.endpoints or () if endpoint[0].startswith(self.prefix)]


@lru_cache(maxsize=len(IN_PATHS))
def document(version: str) -> Any:
    """The document of a version. Made once a process, in about a second; nobody may change it."""
    return HMSSchemaGenerator(api_version=version).get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
