"""The OpenID Connect provider of django-allauth, with stricter checks.

allauth does not verify the ID token from the token endpoint, sends no nonce, and lets the query string choose scopes,
parameters and the process. Here, the token is verified in full (`tokens`), a nonce ties it to the browser that started
the sign-in, and only the page to return to comes from the request.
"""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from allauth.socialaccount.providers.openid_connect.provider import (
    OpenIDConnectProvider,
)
from allauth.socialaccount.providers.openid_connect.views import (
    OpenIDConnectOAuth2Adapter,
)
from django.http import HttpRequest
from django.urls import reverse

from console.sign_in.openid_connect import tokens
from console.sign_in.openid_connect.configuration import PROVIDER_ID

# Claims about the token, not about the user.
_TOKEN_CLAIMS = frozenset(["aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "sid"])


class OpenIDAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth has no type information
    """Calls the provider. Every error is an OAuth2Error, which becomes an error page."""

    nonce = ""

    def __init__(self, request: HttpRequest, provider_id: str = PROVIDER_ID) -> None:
        super().__init__(request, provider_id)

    @property
    def openid_config(self) -> dict[str, Any]:
        return tokens.read_discovery(self.get_provider().app)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("sign_on_callback"))

    def get_access_token_data(
        self,
        request: HttpRequest,
        app: SocialApp,
        client: OAuth2Client,
        pkce_code_verifier: str | None = None,
    ) -> dict[str, Any]:
        self.nonce = derive_nonce(pkce_code_verifier or "")
        try:
            data = super().get_access_token_data(request, app, client, pkce_code_verifier)
        except (KeyError, TypeError, ValueError) as error:
            raise tokens.ProviderUnavailable("the response of the token endpoint is invalid") from error
        if not isinstance(data, dict) or not isinstance(data.get("access_token"), str):
            raise tokens.ProviderUnavailable("the response of the token endpoint is invalid")
        return data

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        """Return the access token for use in this request. No token of the provider is stored."""
        return SocialToken(token=data["access_token"])

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        claims = tokens.verify_id_token(app, kwargs["response"].get("id_token"), nonce=self.nonce)
        claims = tokens.add_userinfo(app, claims, token.token)
        return self.get_provider().sociallogin_from_response(request, claims)


class Provider(OpenIDConnectProvider):  # type: ignore[misc]  # allauth has no type information
    """The one identity provider of this installation."""

    oauth2_adapter_class = OpenIDAdapter

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        return reverse("sign_on")

    def get_callback_url(self) -> str:
        return reverse("sign_on_callback")

    def get_pkce_params(self) -> dict[str, Any]:
        """Add the nonce. It is derived from the verifier, which only the session of this browser has."""
        pkce: dict[str, Any] = super().get_pkce_params()
        return {**pkce, "nonce": derive_nonce(pkce["code_verifier"])}

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        target = {"next_url": get_next_redirect_url(request)}
        if request.user.is_authenticated:  # to confirm their identity again
            sign_in_again = {"prompt": "login", "max_age": "0"}
            return {
                **target,
                "process": AuthProcess.REDIRECT,
                "auth_params": sign_in_again,
                "asked_at": time.time(),
            }
        return {**target, "process": AuthProcess.LOGIN}

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Return a hash of issuer and `sub`: `sub` is unique at its issuer only, and may be longer than the column."""
        return hashlib.sha256(f"{data['iss']}\n{data['sub']}".encode()).hexdigest()

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name not in _TOKEN_CLAIMS}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        """Return no addresses, so that allauth uses none: `provisioning` decides which to trust."""
        return []

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}


def derive_nonce(verifier: str) -> str:
    """Return the nonce for a PKCE verifier."""
    digest = hashlib.sha256(f"nonce:{verifier}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
