"""Deleting one's own account."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from console.accounts.http import UserRequest
from console.audit.records import Origin
from console.sign_in.reauthentication import requires_reauthentication
from console.teams import accounts
from console.ui.forms import FORM_REFUSED, ConfirmForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires_reauthentication
def delete(request: UserRequest) -> HttpResponse:
    """Delete the account once its email address is entered, and sign out."""
    back = reverse("sign_in:stored-data")
    try:
        accounts.check_other_owners(request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect(back)
    form = ConfirmForm(request.user.email, request.POST or None, label=_("Email address"))
    if request.method == "POST" and form.is_valid():
        try:
            accounts.delete_account(request.user, Origin.from_request(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            logout(request)
            messages.success(request, _("Your account was deleted."))
            return redirect("account_login")
    context = {
        "title": _("Delete your account?"),
        "consequences": [
            _("You leave all your teams. Your sessions end, and programs can no longer use your API tokens."),
            _("Your profile, sign-in methods, sign-in history and call history are deleted."),
            _("The audit trails and approval requests of your teams keep your email address."),
            _("This cannot be undone."),
        ],
        "form": form,
        "submit": _("Delete account"),
        "cancel": back,
        "crumbs": [(_("Your profile"), reverse("sign_in:profile")), (_("Data stored about you"), back)],
    }
    return render(request, "ui/confirm_page.html", context, status=FORM_REFUSED if form.errors else 200)
