"""A team's own roles: to make, change and delete them. Nobody makes or changes a role that reaches further than their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext, ngettext

from console.access.models import CustomRole, Membership
from console.access.roles import Area, Level, Role
from console.access.teams import Actor, acting_now, recorded_as
from console.ui.format import in_a_row

Levels = Mapping[Area, Level]


@dataclass(frozen=True)
class Draft:
    """What a role is to be."""

    name: str
    description: str
    levels: Levels

    @property
    def role(self) -> Role:
        """The draft as a role, to be held against others."""
        return Role("", self.name, self.description, self.levels)

    @property
    def shown(self) -> dict[str, Any]:
        """As records show it."""
        # In the order of the areas: a database may keep the names of an object in another.
        levels = [f"{area}: {self.levels[area].name.lower()}" for area in Area if self.levels.get(area)]
        return {"name": self.name, "description": self.description, "levels": levels}

    @property
    def kept(self) -> dict[str, int]:
        """The levels for the database."""
        return {area.value: int(level) for area, level in self.levels.items() if level}


def may_edit(membership: Membership, role: Role) -> bool:
    """Whether the member may change or delete a role of the team."""
    return membership.has_level(Area.MEMBERS, Level.WRITE) and membership.role.includes(role)


def create(actor: Actor, draft: Draft) -> CustomRole:
    """A new role. Raises PermissionDenied when it exceeds the actor's own, ValidationError for a name that is taken."""
    with recorded_as(actor, "role.create", draft.name, draft.shown), transaction.atomic():
        acting = acting_now(actor)
        _check_scope(acting, draft.role)
        _check_name(acting, draft.name)
        return CustomRole.objects.create(
            team=acting.team,
            slug=_free_slug(acting, draft.name),
            name=draft.name,
            description=draft.description,
            levels=draft.kept,
        )


def edit(actor: Actor, role: CustomRole, draft: Draft) -> None:
    """Change a role; it counts for its holders at their next request. `role` is as the actor saw it.

    Raises PermissionDenied when it exceeds the actor's own role before or after, ValidationError for a name that is taken
    and for a role that somebody changed or deleted meanwhile.
    """
    with (
        recorded_as(actor, "role.edit", role.name, draft.shown, before=_draft(role).shown),
        transaction.atomic(),
    ):
        acting = acting_now(actor)
        present = acting.team.custom_roles.filter(pk=role.pk).first()
        if present is None or present.updated_at != role.updated_at:
            raise changed_meanwhile()
        _check_scope(acting, present.role)
        _check_scope(acting, draft.role)
        _check_name(acting, draft.name, other_than=present)
        present.name, present.description, present.levels = draft.name, draft.description, draft.kept
        present.save(update_fields=["name", "description", "levels", "updated_at"])


def delete(actor: Actor, role: CustomRole) -> None:
    """Delete a role that nothing uses. Raises ValidationError that says what does, PermissionDenied."""
    with recorded_as(actor, "role.delete", role.name, before=_draft(role).shown), transaction.atomic():
        acting = acting_now(actor)
        _check_scope(acting, role.role)
        used = uses(role)
        if used:
            raise ValidationError(
                gettext("This role is in use: %(uses)s. Give them another one first.") % {"uses": used},
                code="used",
            )
        CustomRole.objects.filter(pk=role.pk).delete()


def uses(role: CustomRole) -> str:
    """What gives this role, in words: members, invitations, API tokens, rules of single sign-on. Empty: nothing does."""
    team, slug = role.team, role.slug
    members = team.memberships.filter(role_slug=slug, user__is_service=False).count()
    waiting = team.invitations.filter(role_slug=slug).count()
    works = Q(revoked_at=None, expires_at__gt=timezone.now())
    tokens = team.tokens.filter(works, role_slug=slug).count()
    rules = team.sign_on_rules.filter(role_slug=slug).count()
    said = [
        (members, ngettext("%(count)d member", "%(count)d members", members)),
        (waiting, ngettext("%(count)d invitation", "%(count)d invitations", waiting)),
        (tokens, ngettext("%(count)d API token", "%(count)d API tokens", tokens)),
        (rules, ngettext("%(count)d sign-on rule", "%(count)d sign-on rules", rules)),
    ]
    return in_a_row(words % {"count": count} for count, words in said if count)


def changed_meanwhile() -> ValidationError:
    """What is said to who edits a role that is no longer as they saw it."""
    return ValidationError(
        gettext("Somebody changed or deleted this role meanwhile. Open it again to see what it is now."),
        code="changed",
    )


def _draft(role: CustomRole) -> Draft:
    return Draft(role.name, role.description, role.role.levels)


def _check_scope(membership: Membership, role: Role) -> None:
    if not may_edit(membership, role):
        raise PermissionDenied(gettext("This role reaches further than yours."))


def _check_name(membership: Membership, name: str, other_than: CustomRole | None = None) -> None:
    """Two roles of a name could not be told apart, a built-in one among them."""
    taken = {
        str(role.label).casefold()
        for slug, role in membership.team.roles.items()
        if other_than is None or slug != other_than.slug
    }
    if name.casefold() in taken:
        raise ValidationError({"name": gettext("The team has a role of this name already.")}, code="name")


def _free_slug(membership: Membership, name: str) -> str:
    """A short name that no role has, and that no grant still names."""
    base = slugify(name)[:32].strip("-") or "role"
    team = membership.team
    taken = set(team.roles) | {"add", "preview"}  # addresses beside the roles' own
    for grants in (team.memberships, team.invitations, team.tokens, team.sign_on_rules):
        taken |= set(grants.values_list("role_slug", flat=True))
    return next(
        slug
        for number in range(1, 10_000)
        if (slug := base if number == 1 else f"{base}-{number}") not in taken
    )
