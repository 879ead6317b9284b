"""Signing in to the API by a code that is sent. No answer says whether there is such an account."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.accounts.factors.codes import MINUTES
from core.accounts.factors.sign_in import check_code_alone, send_sign_in_code
from core.accounts.models import User, normalise_email
from core.api.auth import TokenOutput, _OpenView, program_signed_in
from core.api.serializers import InputSerializer, OutputSerializer
from core.messaging.models import Channel
from core.requests import underlying
from core.security.limiting.classes import RouteClass
from core.security.limiting.counting import count_account, count_code


class CodeRequestInput(InputSerializer):
    identifier = serializers.EmailField(max_length=254, help_text="The account's e-mail.")
    channel = serializers.ChoiceField(choices=Channel.choices, help_text="Tried first; the account's others follow.")


class CodeRequestOutput(OutputSerializer):
    expires_in = serializers.IntegerField(help_text="Seconds that a code is good for, if one was sent.")


class CodeInput(InputSerializer):
    identifier = serializers.EmailField(max_length=254)
    code = serializers.CharField(max_length=40, write_only=True)


class CodeRequestView(_OpenView):
    route_class = RouteClass.AUTH

    @extend_schema(request=CodeRequestInput, responses=CodeRequestOutput, auth=[])
    def post(self, request: Request, **_: Any) -> Response:
        """Have a one-time code sent. The answer is the same whether there is such an account or not."""
        given = CodeRequestInput(data=request.data)
        given.is_valid(raise_exception=True)
        inner, email = underlying(request), normalise_email(given.validated_data["identifier"])
        count_code(inner, email)
        user = User.objects.filter(email=email, is_active=True).first()
        send_sign_in_code(user=user, identifier=email, wanted=Channel(given.validated_data["channel"]))
        return Response(CodeRequestOutput({"expires_in": MINUTES * 60}).data)


class CodeVerifyView(_OpenView):
    route_class = RouteClass.AUTH

    @extend_schema(request=CodeInput, responses=TokenOutput, auth=[])
    def post(self, request: Request, **_: Any) -> Response:
        """Exchange a code that was sent for tokens. With a second factor, send password and code to `auth/token`."""
        given = CodeInput(data=request.data)
        given.is_valid(raise_exception=True)
        inner, email = underlying(request), normalise_email(given.validated_data["identifier"])
        code, count = given.validated_data["code"], lambda: count_account(inner, email)
        user = check_code_alone(inner, identifier=email, code=code, count=count)
        return Response(TokenOutput(program_signed_in(inner, user, ("otp",))).data)
