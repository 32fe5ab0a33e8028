"""The choice of a language, by anybody, from the user menu or the sign-in page."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from console.access.models import User


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keeps `language` in the browser's cookie, and in the profile of who is signed in; leads to `next` or back.

    What is no language of the console changes nothing.
    """
    language = request.POST.get("language", "")
    # The profile counts for more than the cookie, so a choice that only set the cookie would show nothing.
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=language)
    response: HttpResponse = set_language(request)
    return response
