"""Creating, editing and deleting a team's custom roles. A member cannot create or edit a role with more permissions than
theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext, ngettext, override

from console.accounts.models import CustomRole, Membership
from console.accounts.names import fold_name
from console.accounts.roles import Area, Level, Role
from console.teams.changes import Actor, lock_acting_membership, record_change
from console.ui.format import join_words

Levels = Mapping[Area, Level]


@dataclass(frozen=True)
class RoleDraft:
    """The submitted values of a role."""

    name: str
    description: str
    levels: Levels

    @property
    def role(self) -> Role:
        """The draft as a role, to compare it with others."""
        return Role("", self.name, self.description, self.levels)

    @property
    def audit_values(self) -> dict[str, Any]:
        """The draft as parameters of an audit record."""
        # In the order of the areas: a database may store the names of an object in another order.
        levels = [f"{area}: {self.levels[area].name.lower()}" for area in Area if self.levels.get(area)]
        return {"name": self.name, "description": self.description, "levels": levels}

    @property
    def stored_levels(self) -> dict[str, int]:
        """The levels as stored in the database."""
        return {area.value: int(level) for area, level in self.levels.items() if level}


def may_edit_role(membership: Membership, role: Role) -> bool:
    """Return whether the member may edit or delete a role of the team."""
    return membership.has_level(Area.MEMBERS, Level.WRITE) and membership.role.includes(role)


def create_role(actor: Actor, draft: RoleDraft) -> CustomRole:
    """Create a role. Raises PermissionDenied if it exceeds the actor's own role, ValidationError if the name is in use."""
    with record_change(actor, "role.create", draft.name, draft.audit_values), transaction.atomic():
        acting = lock_acting_membership(actor)
        _check_scope(acting, draft.role)
        _check_name(acting, draft.name)
        return CustomRole.objects.create(
            team=acting.team,
            slug=_free_slug(acting, draft.name),
            name=draft.name,
            description=draft.description,
            levels=draft.stored_levels,
            levels_changed_by=acting.list_grantors(),
        )


def edit_role(actor: Actor, role: CustomRole, draft: RoleDraft) -> None:
    """Edit a role. It takes effect at the next request of its members. `role` is as the actor saw it.

    Raises PermissionDenied if it exceeds the actor's own role before or after, ValidationError if the name is in use or if
    somebody else edited or deleted the role in the meantime.
    """
    with (
        record_change(
            actor, "role.edit", role.name, draft.audit_values, before=_build_draft(role).audit_values
        ),
        transaction.atomic(),
    ):
        acting = lock_acting_membership(actor)
        present = acting.team.custom_roles.filter(pk=role.pk).first()
        if present is None or present.updated_at != role.updated_at:
            raise role_changed_error()
        _check_scope(acting, present.role)
        _check_scope(acting, draft.role)
        _check_name(acting, draft.name, other_than=present)
        if present.levels != draft.stored_levels:
            present.levels, present.levels_changed_at = draft.stored_levels, timezone.now()
            present.levels_changed_by = acting.list_grantors()
        present.name, present.description = draft.name, draft.description
        present.save()


def delete_role(actor: Actor, role: CustomRole) -> None:
    """Delete an unused role. Raises ValidationError, which states what uses the role, and PermissionDenied."""
    with (
        record_change(actor, "role.delete", role.name, before=_build_draft(role).audit_values),
        transaction.atomic(),
    ):
        acting = lock_acting_membership(actor)
        _check_scope(acting, role.role)
        uses = describe_uses(role)
        if uses:
            raise ValidationError(
                gettext("This role is in use: %(uses)s. Assign another role to them first.") % {"uses": uses},
                code="used",
            )
        CustomRole.objects.filter(pk=role.pk).delete()


def describe_uses(role: CustomRole) -> str:
    """Return the numbers of members, invitations, API tokens and single sign-on rules with this role; "" if there are none."""
    team, slug = role.team, role.slug
    members = team.memberships.filter(role_slug=slug, user__is_service=False).count()
    invitations = team.invitations.filter(role_slug=slug).count()
    is_valid = Q(revoked_at=None, expires_at__gt=timezone.now())
    tokens = team.tokens.filter(is_valid, role_slug=slug).count()
    rules = team.sign_on_rules.filter(role_slug=slug).count()
    counts = [
        (members, ngettext("%(count)d member", "%(count)d members", members)),
        (invitations, ngettext("%(count)d invitation", "%(count)d invitations", invitations)),
        (tokens, ngettext("%(count)d API token", "%(count)d API tokens", tokens)),
        (rules, ngettext("%(count)d single sign-on rule", "%(count)d single sign-on rules", rules)),
    ]
    return join_words(words % {"count": count} for count, words in counts if count)


def role_changed_error() -> ValidationError:
    """Return the error for a user who edits a role that is no longer as they saw it."""
    return ValidationError(
        gettext("Another user edited or deleted this role. Open it again to see its current state."),
        code="changed",
    )


def _build_draft(role: CustomRole) -> RoleDraft:
    return RoleDraft(role.name, role.description, role.role.levels)


def _check_scope(membership: Membership, role: Role) -> None:
    if not may_edit_role(membership, role):
        raise PermissionDenied(gettext("This role has more permissions than yours. Ask a team owner."))


def _check_name(membership: Membership, name: str, other_than: CustomRole | None = None) -> None:
    """Raise ValidationError if another role of the team has the name, or one that looks the same.

    The names of built-in roles count in every language: members of a team may use different ones.
    """
    others = [
        role for slug, role in membership.team.roles.items() if not other_than or slug != other_than.slug
    ]
    used_names: dict[str, str] = {}
    for language, _label in settings.LANGUAGES:
        with override(language):
            used_names |= {fold_name(str(role.label)): str(role.label) for role in others}
    used_name = used_names.get(fold_name(name))
    if used_name is not None:
        text = gettext("This name is the same as “%(name)s”, or looks the same. Enter another name.")
        raise ValidationError({"name": text % {"name": used_name}}, code="name")


def _free_slug(membership: Membership, name: str) -> str:
    """Return a short name that no role has and that no grant refers to."""
    base = slugify(name)[:32].strip("-") or "role"
    team = membership.team
    used_slugs = set(team.roles) | {"add", "preview"}  # other pages at the same level
    for grants in (team.memberships, team.invitations, team.tokens, team.sign_on_rules):
        used_slugs |= set(grants.values_list("role_slug", flat=True))
    return next(
        slug
        for number in range(1, 10_000)
        if (slug := base if number == 1 else f"{base}-{number}") not in used_slugs
    )
