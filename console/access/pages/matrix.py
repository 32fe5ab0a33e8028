"""A role as a matrix of areas × levels, with the operations behind each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from console.access.custom_roles import Draft
from console.access.models import CustomRole
from console.access.roles import AREA_LABELS, CLOUD_AREAS, LEVEL_OF_ACCESS, Area, Level, Role
from console.cloud.catalogue import Operation, operations
from console.ui.format import in_a_row

LEVEL_LABELS: Mapping[Level, str | Promise] = {
    Level.NONE: gettext_lazy("None"),
    Level.READ: gettext_lazy("Read"),
    Level.WRITE: gettext_lazy("Write"),
    Level.DESTROY: gettext_lazy("Destroy"),
    Level.SECRET: gettext_lazy("Secrets"),
}
# What a level adds in the areas of the console itself. A level without words means nothing there and is not offered: who
# may be owner is left to owners.
CONSOLE_WORDS: Mapping[Area, Mapping[Level, str | Promise]] = {
    Area.CONNECTIONS: {
        Level.READ: gettext_lazy("See the connections: names, regions, AccessKey IDs."),
        Level.WRITE: gettext_lazy("Add and edit connections, replace their keys, test them."),
        Level.DESTROY: gettext_lazy("Delete connections, and with them their jobs."),
    },
    Area.MEMBERS: {
        Level.READ: gettext_lazy("See the members, the invitations and the roles."),
        Level.WRITE: gettext_lazy(
            "Invite, change and remove members, and make roles; never beyond what the own role reaches."
        ),
    },
    Area.AUDIT: {Level.READ: gettext_lazy("See and export the audit trail.")},
}


@cache
def _by_level(area: Area) -> Mapping[Level, tuple[Operation, ...]]:
    """The operations that each level of an area adds."""
    found: dict[Level, list[Operation]] = {level: [] for level in Level}
    for operation in operations().values():
        if operation.area == area:
            found[LEVEL_OF_ACCESS[operation.access]].append(operation)
    return {level: tuple(added) for level, added in found.items()}


@cache
def _with_secrets(area: Area) -> tuple[Operation, ...]:
    """The operations of an area that answer with secrets, which are shown from the level SECRET on."""
    return tuple(op for op in operations().values() if op.area == area and op.secret_fields)


@cache
def offered(area: Area) -> tuple[Level, ...]:
    """The levels that mean something in an area, the lowest first."""
    if area in CONSOLE_WORDS:
        return (Level.NONE, *CONSOLE_WORDS[area])
    added = _by_level(area)
    meant = [level for level in Level if added[level] or (level is Level.SECRET and _with_secrets(area))]
    return (Level.NONE, *meant)


def nearest(area: Area, level: Level) -> Level:
    """The highest level that is offered and not above `level`: the same rights, since what lies between adds nothing."""
    return max(one for one in offered(area) if one <= level)


@dataclass(frozen=True)
class Cell:
    """One level of an area: what it adds to those below it."""

    level: Level
    operations: tuple[Operation, ...]
    reveals: tuple[Operation, ...]
    words: str | Promise
    chosen: bool
    reached: bool  # at or below the chosen level
    compared: bool  # the level of the role that this one is held against
    beyond: bool  # above what the editor's own role has

    @property
    def label(self) -> str | Promise:
        """The level's name."""
        return LEVEL_LABELS[self.level]

    @property
    def count(self) -> int:
        """How many operations it adds."""
        return len(self.operations) + len(self.reveals)


@dataclass(frozen=True)
class Row:
    """An area with its levels."""

    area: Area
    cells: Sequence[Cell]

    @property
    def label(self) -> str | Promise:
        """The area's name."""
        return AREA_LABELS[self.area]

    @property
    def slots(self) -> Sequence[Cell | None]:
        """A cell or a gap for each level that there is, so that levels stand under each other."""
        by_level = {cell.level: cell for cell in self.cells}
        return [by_level.get(level) for level in Level]

    @property
    def differs(self) -> bool:
        """Whether the compared role has another level here."""
        return any(cell.chosen != cell.compared for cell in self.cells)

    @property
    def allowed(self) -> int:
        """How many operations the chosen level allows."""
        return sum(len(cell.operations) for cell in self.cells if cell.reached)

    @property
    def total(self) -> int:
        """How many operations the area has."""
        return sum(len(cell.operations) for cell in self.cells)


def matrix(role: Role, *, compared: Role | None = None, editor: Role | None = None) -> list[Row]:
    """The rows of a role; `compared` marks another role's levels, `editor` what exceeds the role of who edits."""
    rows = []
    for area in Area:
        chosen = nearest(area, role.level(area))
        other = nearest(area, compared.level(area)) if compared else None
        cells = [
            Cell(
                level=level,
                operations=_by_level(area)[level],
                reveals=_with_secrets(area) if level is Level.SECRET and area in CLOUD_AREAS else (),
                words=CONSOLE_WORDS.get(area, {}).get(level, ""),
                chosen=level == chosen,
                reached=level <= chosen,
                compared=level == other,
                beyond=editor is not None and level > editor.level(area),
            )
            for level in offered(area)
        ]
        rows.append(Row(area, cells))
    return rows


# Whose pages ask for a product first.
_WITHIN_PRODUCTS = (Area.DEVICES, Area.OTA)


def summary(role: Role) -> list[str]:
    """What a role can do, in a few sentences."""
    every = list(operations().values())
    allowed = sum(role.allows(operation) for operation in every)
    lines = [
        gettext("May call %(allowed)d of the %(all)d operations of the cloud.")
        % {"allowed": allowed, "all": len(every)}
    ]
    verbs = (
        (Level.READ, gettext("Reads only: %(areas)s.")),
        (Level.WRITE, gettext("Changes: %(areas)s.")),
        (Level.DESTROY, gettext("Changes and destroys: %(areas)s.")),
        (Level.SECRET, gettext("Changes and destroys, and sees secrets: %(areas)s.")),
    )
    for level, words in verbs:
        areas = [str(AREA_LABELS[area]) for area in CLOUD_AREAS if nearest(area, role.level(area)) == level]
        if areas:
            lines.append(words % {"areas": in_a_row(areas)})
    needing = [str(AREA_LABELS[area]) for area in _WITHIN_PRODUCTS if role.level(area)]
    if needing and not role.level(Area.PRODUCTS):
        lines.append(
            gettext(
                "Pages of %(areas)s begin with a product: without reading Products only programs can use them."
            )
            % {"areas": in_a_row(needing)}
        )
    for area in CONSOLE_WORDS:
        level = nearest(area, role.level(area))
        lines += [str(words) for step, words in CONSOLE_WORDS[area].items() if step == level]
    return lines


class RoleForm(forms.Form):
    """A role as a form: its name, what it is for, and a level for each area, in fields named `level_<area>`."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    description = forms.CharField(label=gettext_lazy("What it is for"), max_length=200, required=False)

    def __init__(self, editor: Role, start: Role | CustomRole, *args: Any, **kwargs: Any) -> None:
        self.editor = editor
        self.start = start.role if isinstance(start, CustomRole) else start
        levels = {f"level_{area}": int(nearest(area, self.start.level(area))) for area in Area}
        kwargs["initial"] = levels | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        for area in Area:
            self.fields[f"level_{area}"] = forms.TypedChoiceField(
                label=str(AREA_LABELS[area]),
                coerce=lambda value: Level(int(value)),
                choices=[(int(level), LEVEL_LABELS[level]) for level in offered(area)],
                widget=forms.RadioSelect,
            )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for area in Area:
            level = values.get(f"level_{area}")
            if level is not None and level > self.editor.level(area):
                self.add_error(f"level_{area}", gettext("Your own role does not reach so far."))
        return values

    @property
    def draft(self) -> Draft:
        """What was asked for, once the form is valid."""
        values = self.cleaned_data
        levels = {area: values[f"level_{area}"] for area in Area}
        return Draft(values["name"], values["description"], levels)

    @property
    def shown_role(self) -> Role:
        """The role as the form stands: with what was chosen so far, right or wrong."""
        if not self.is_bound:
            return self.start
        chosen = {}
        for area in Area:
            text = str(self.data.get(f"level_{area}", ""))
            known = {str(int(level)): level for level in offered(area)}
            chosen[area] = known.get(text, Level.NONE)
        return Role("", self.data.get("name", ""), "", chosen)

    @property
    def rows(self) -> list[Row]:
        """The matrix as the form stands."""
        return matrix(self.shown_role, editor=self.editor)

    @property
    def level_errors(self) -> list[str]:
        """What is wrong with the chosen levels, each with its area."""
        return [
            f"{AREA_LABELS[area]}: {error}" for area in Area for error in self.errors.get(f"level_{area}", ())
        ]
