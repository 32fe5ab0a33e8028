"""Sets the language, from the user menu or the sign-in page."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from console.accounts.models import User


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Save `language` in the browser's cookie and in the signed-in user's profile; redirect to `next` or back.

    An unknown language changes nothing.
    """
    language = request.POST.get("language", "")
    # The profile overrides the cookie, so setting only the cookie would have no effect.
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=language)
    response: HttpResponse = set_language(request)
    return response
