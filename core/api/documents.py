"""The API's description for machines and, browsable without anything from another host, for people."""

from django.urls import reverse
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer, OpenApiYamlRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.generator import document
from core.api.versioning import IN_PATHS, version_of


class DescriptionView(SpectacularAPIView):
    """The OpenAPI document of the request's version: JSON, or YAML for who asks for it."""

    renderer_classes = [OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer, OpenApiYamlRenderer2]

    def _get_schema_response(self, request: Request) -> Response:
        return Response(document(version_of(request)))


class BrowsableView(SpectacularSwaggerSplitView):
    """Swagger's page of the request's version."""

    def _get_schema_url(self, request: Request) -> str:
        return reverse(f"api-{IN_PATHS[version_of(request)]}:schema")
