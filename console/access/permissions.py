"""The levels that the console's own pages ask for (what the cloud's operations ask for, the gateway knows)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseBase
from django.utils.translation import gettext

from console.access.http import TeamRequest
from console.access.roles import Area, Level

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class LevelRefused(PermissionDenied):
    """The person's role does not reach a level in an area of the console itself."""


def require(request: TeamRequest, area: Area, level: Level) -> None:
    """Raises LevelRefused, which becomes the 403 page, unless the person's role reaches `level` in `area`."""
    if not request.membership.has_level(area, level):
        raise LevelRefused(
            gettext("The role “%(role)s” does not allow this. Ask an owner of the team.")
            % {"role": request.membership.role.label}
        )


def requires(area: Area, level: Level) -> Callable[[View], View]:
    """Decorates a view of a team's page: only for people whose role reaches `level` in `area`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: TeamRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require(request, area, level)
            return view(request, *args, **kwargs)

        return checked  # type: ignore[return-value]

    return decorate
