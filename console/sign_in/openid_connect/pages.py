"""The pages that lead to the identity provider and back. They respond with 404 if no provider is configured."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from console.accounts.models import User
from console.sign_in.openid_connect.configuration import PROVIDER_ID
from console.sign_in.openid_connect.provider import OpenIDAdapter, Provider


def find_provider(request: HttpRequest | None) -> Provider | None:
    """Return the identity provider, or None if none is configured."""
    try:
        provider: Provider = get_adapter().get_provider(request, PROVIDER_ID)
    except SocialApp.DoesNotExist:
        return None
    return provider


@never_cache
@require_POST
@login_not_required
def start(request: HttpRequest) -> HttpResponse:
    """Redirect the browser to the provider: to sign in, or to confirm the identity of a signed-in user.

    The redirect is a page: the content security policy does not allow a form to end on another site.
    """
    provider = _get_provider(request)
    try:
        response: HttpResponse = provider.redirect_from_request(request)
    except OAuth2Error as error:
        return _render_error(request, provider, error)
    if isinstance(response, HttpResponseRedirect):
        return render(
            request, "sign_in/openid_connect/redirect.html", {"provider": provider, "url": response.url}
        )
    return response


@never_cache
@require_safe
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask the signed-in user to confirm their identity at the provider."""
    context = {"provider": _get_provider(request), "next": get_next_redirect_url(request)}
    return render(request, "sign_in/openid_connect/confirm.html", context)


def list_confirmation_methods(user: User) -> list[dict[str, Any]]:
    """Return the provider as a way to confirm the identity, in the format of allauth.

    The list is empty for users who never signed in through the provider.
    """
    provider = find_provider(None)
    if provider is None or not SocialAccount.objects.filter(user_id=user.pk, provider=PROVIDER_ID).exists():
        return []
    text = gettext("Sign in with %(name)s again") % {"name": provider.name}
    return [{"id": "sign_on", "description": text, "url": reverse("sign_on_confirm")}]


@never_cache
@require_safe
@login_not_required
def callback(request: HttpRequest) -> HttpResponse:
    """Handle the return of the browser from the provider."""
    provider = _get_provider(request)
    try:
        response: HttpResponse = OAuth2CallbackView.adapter_view(OpenIDAdapter(request))(request)
    except OAuth2Error as error:
        return _render_error(request, provider, error)
    return response


def _get_provider(request: HttpRequest) -> Provider:
    provider = find_provider(request)
    if provider is None:
        raise Http404
    return provider


def _render_error(request: HttpRequest, provider: Provider, error: OAuth2Error) -> HttpResponse:
    response: HttpResponse = render_authentication_error(request, provider, exception=error, extra_context={})
    return response
