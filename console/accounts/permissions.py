"""Checks the levels that the console's own pages require. The gateway checks those of the platform's operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseBase
from django.utils.translation import gettext

from console.accounts.http import TeamRequest
from console.accounts.roles import Area, Level

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class LevelRefused(PermissionDenied):
    """The user's role does not have the required level in an area of the console itself, or only in a limited access scope."""


def require(request: TeamRequest, area: Area, level: Level) -> None:
    """Raise LevelRefused, which becomes the 403 page, unless the user has `level` in `area`. The text says whether the role or the
    access scope is the reason."""
    membership = request.membership
    if membership.has_level(area, level):
        return
    if membership.role.level(area) >= level:
        raise LevelRefused(
            gettext(
                "Your access scope does not include the entire team, which this page requires. Ask a team owner for access."
            )
        )
    raise LevelRefused(
        gettext("The role “%(role)s” does not allow this. Ask a team owner for access.")
        % {"role": membership.role.label}
    )


def requires(area: Area, level: Level) -> Callable[[View], View]:
    """Decorate a view of a team: only users whose role has `level` in `area` may open it."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: TeamRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require(request, area, level)
            return view(request, *args, **kwargs)

        return checked  # type: ignore[return-value]

    return decorate
