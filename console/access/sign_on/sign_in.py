"""The way to the identity provider and back. Where none is configured, these pages are not there."""

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

from console.access.models import User
from console.access.sign_on.configuration import PROVIDER_ID
from console.access.sign_on.provider import OpenIDAdapter, Provider


def provider_of(request: HttpRequest | None) -> Provider | None:
    """The identity provider, None where none is configured."""
    try:
        found: Provider = get_adapter().get_provider(request, PROVIDER_ID)
    except SocialApp.DoesNotExist:
        return None
    return found


@never_cache
@require_POST
@login_not_required
def start(request: HttpRequest) -> HttpResponse:
    """Sends the browser to the provider; somebody who is signed in, to prove again that it is them.

    By a page that leads there at once: the content security policy lets no form of ours end on another site.
    """
    provider = _provider(request)
    try:
        answer: HttpResponse = provider.redirect_from_request(request)
    except OAuth2Error as error:
        return _failed(request, provider, error)
    if isinstance(answer, HttpResponseRedirect):
        return render(request, "access/sign_on/leaving.html", {"provider": provider, "url": answer.url})
    return answer


@never_cache
@require_safe
def again(request: HttpRequest) -> HttpResponse:
    """Asks somebody who is signed in to prove at the provider that it is still them."""
    context = {"provider": _provider(request), "next": get_next_redirect_url(request)}
    return render(request, "access/sign_on/again.html", context)


def ways_to_prove_again(user: User) -> list[dict[str, Any]]:
    """The provider as allauth lists a way to confirm who one is; empty for people who never came through it."""
    provider = provider_of(None)
    if provider is None or not SocialAccount.objects.filter(user_id=user.pk, provider=PROVIDER_ID).exists():
        return []
    text = gettext("Sign in with %(name)s again") % {"name": provider.name}
    return [{"id": "sign_on", "description": text, "url": reverse("sign_on_again")}]


@never_cache
@require_safe
@login_not_required
def callback(request: HttpRequest) -> HttpResponse:
    """Where the provider sends the browser back to."""
    provider = _provider(request)
    try:
        answer: HttpResponse = OAuth2CallbackView.adapter_view(OpenIDAdapter(request))(request)
    except OAuth2Error as error:
        return _failed(request, provider, error)
    return answer


def _provider(request: HttpRequest) -> Provider:
    provider = provider_of(request)
    if provider is None:
        raise Http404
    return provider


def _failed(request: HttpRequest, provider: Provider, error: OAuth2Error) -> HttpResponse:
    answer: HttpResponse = render_authentication_error(request, provider, exception=error, extra_context={})
    return answer
