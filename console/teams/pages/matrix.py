"""A role as a matrix of areas and levels, with the operations of each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from console.accounts.models import CustomRole
from console.accounts.roles import AREA_LABELS, CLOUD_AREAS, LEVEL_OF_ACCESS, Area, Level, Role
from console.teams.custom_roles import RoleDraft
from console.ui.format import join_words, label_text
from iot_client.catalogue import Operation, operations

LEVEL_LABELS: Mapping[Level, str | Promise] = {
    Level.NONE: gettext_lazy("None"),
    Level.READ: gettext_lazy("Read"),
    Level.WRITE: gettext_lazy("Write"),
    Level.DELETE: gettext_lazy("Delete"),
    Level.SECRET: gettext_lazy("Secrets"),
}
# The permissions that a level adds in the areas of the console itself. A level without a text has no meaning there and is not offered:
# only the built-in role of owners has a higher one.
CONSOLE_TEXTS: Mapping[Area, Mapping[Level, str | Promise]] = {
    Area.CONNECTIONS: {
        Level.READ: gettext_lazy("View connections: names, regions, AccessKey IDs."),
        Level.WRITE: gettext_lazy("Add, edit and test connections, and replace their keys."),
        Level.DELETE: gettext_lazy("Delete connections and their jobs."),
    },
    Area.MEMBERS: {
        Level.READ: gettext_lazy("View members, invitations and roles."),
        Level.WRITE: gettext_lazy(
            "Invite, edit and remove members, and create roles, up to the permissions of one's own role."
        ),
    },
    Area.AUDIT: {Level.READ: gettext_lazy("View and export the audit trail.")},
}


@cache
def _operations_by_level(area: Area) -> Mapping[Level, tuple[Operation, ...]]:
    """Return the operations that each level of an area adds."""
    by_level: dict[Level, list[Operation]] = {level: [] for level in Level}
    for operation in operations().values():
        if operation.area == area:
            by_level[LEVEL_OF_ACCESS[operation.access]].append(operation)
    return {level: tuple(added) for level, added in by_level.items()}


@cache
def _operations_with_secrets(area: Area) -> tuple[Operation, ...]:
    """Return the operations of an area whose responses contain secrets, which the level SECRET shows."""
    return tuple(op for op in operations().values() if op.area == area and op.secret_fields)


@cache
def list_levels(area: Area) -> tuple[Level, ...]:
    """Return the levels that have a meaning in an area, the lowest first."""
    if area in CONSOLE_TEXTS:
        return (Level.NONE, *CONSOLE_TEXTS[area])
    added = _operations_by_level(area)
    meaningful = [
        level for level in Level if added[level] or (level is Level.SECRET and _operations_with_secrets(area))
    ]
    return (Level.NONE, *meaningful)


def nearest_level(area: Area, level: Level) -> Level:
    """Return the highest meaningful level up to `level`. It gives the same permissions, as the levels between add nothing."""
    return max(candidate for candidate in list_levels(area) if candidate <= level)


@dataclass(frozen=True)
class Cell:
    """A level of an area: what it adds to the lower ones."""

    level: Level
    operations: tuple[Operation, ...]
    reveals: tuple[Operation, ...]
    text: str | Promise
    is_selected: bool
    is_included: bool  # at or below the selected level
    is_compared: bool  # the level of the role that this one is compared with
    is_in_compared: bool  # at or below that level
    is_unavailable: bool  # above the level of the editor's own role

    @property
    def label(self) -> str | Promise:
        """The name of the level."""
        return LEVEL_LABELS[self.level]

    @property
    def is_granted(self) -> bool:
        """Whether the role has this level; “None” only if it has no other."""
        return self.is_included if self.level else self.is_selected

    @property
    def is_granted_to_compared(self) -> bool:
        """Whether the compared role has this level."""
        return self.is_in_compared if self.level else self.is_compared


@dataclass(frozen=True)
class Row:
    """An area with its levels."""

    area: Area
    cells: Sequence[Cell]

    @property
    def label(self) -> str | Promise:
        """The name of the area."""
        return AREA_LABELS[self.area]

    @property
    def slots(self) -> Sequence[Cell | None]:
        """A cell or None for each existing level, so that the levels of all areas are aligned."""
        by_level = {cell.level: cell for cell in self.cells}
        return [by_level.get(level) for level in Level]

    @property
    def differs(self) -> bool:
        """Whether the compared role has another level in this area."""
        return any(cell.is_selected != cell.is_compared for cell in self.cells)

    @property
    def allowed(self) -> int:
        """The number of operations that the selected level allows."""
        return sum(len(cell.operations) for cell in self.cells if cell.is_included)

    @property
    def total(self) -> int:
        """The number of operations in the area."""
        return sum(len(cell.operations) for cell in self.cells)


def build_matrix(role: Role, *, compared: Role | None = None, editor: Role | None = None) -> list[Row]:
    """Return the rows of a role. `compared` marks another role's levels, `editor` the levels above the editor's own role."""
    rows = []
    for area in Area:
        selected = nearest_level(area, role.level(area))
        other = nearest_level(area, compared.level(area)) if compared else None
        cells = [
            Cell(
                level=level,
                operations=_operations_by_level(area)[level],
                reveals=_operations_with_secrets(area)
                if level is Level.SECRET and area in CLOUD_AREAS
                else (),
                text=CONSOLE_TEXTS.get(area, {}).get(level, ""),
                is_selected=level == selected,
                is_included=level <= selected,
                is_compared=level == other,
                is_in_compared=other is not None and level <= other,
                is_unavailable=editor is not None and level > editor.level(area),
            )
            for level in list_levels(area)
        ]
        rows.append(Row(area, cells))
    return rows


# The areas whose pages require the selection of a product.
_AREAS_WITHIN_PRODUCTS = (Area.DEVICES, Area.OTA)


def summarize_role(role: Role) -> list[str]:
    """Describe the permissions of a role in a few sentences."""
    all_operations = list(operations().values())
    allowed = sum(role.allows(operation) for operation in all_operations)
    lines = [
        gettext("Can call %(allowed)d of %(all)d API operations.")
        % {"allowed": allowed, "all": len(all_operations)}
    ]
    texts = (
        (Level.READ, gettext("Can only read: %(areas)s.")),
        (Level.WRITE, gettext("Can read and write: %(areas)s.")),
        (Level.DELETE, gettext("Can read, write and delete: %(areas)s.")),
        (Level.SECRET, gettext("Can read, write, delete and view secrets: %(areas)s.")),
    )
    for level, text in texts:
        areas = [
            str(AREA_LABELS[area]) for area in CLOUD_AREAS if nearest_level(area, role.level(area)) == level
        ]
        if areas:
            lines.append(text % {"areas": join_words(areas)})
    dependent_areas = [str(AREA_LABELS[area]) for area in _AREAS_WITHIN_PRODUCTS if role.level(area)]
    if dependent_areas and not role.level(Area.PRODUCTS):
        lines.append(
            gettext(
                "Pages of %(areas)s require access to Products. Without it, only programs can use these areas."
            )
            % {"areas": join_words(dependent_areas)}
        )
    for area in CONSOLE_TEXTS:
        level = nearest_level(area, role.level(area))
        lines += [str(text) for step, text in CONSOLE_TEXTS[area].items() if step == level]
    return lines


class RoleForm(forms.Form):
    """The form of a role: its name, its description, and a level for each area, in fields named `level_<area>`."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    description = forms.CharField(label=gettext_lazy("Description"), max_length=200, required=False)

    def __init__(self, editor: Role, start: Role | CustomRole, *args: Any, **kwargs: Any) -> None:
        self.editor = editor
        self.start = start.role if isinstance(start, CustomRole) else start
        levels = {f"level_{area}": int(nearest_level(area, self.start.level(area))) for area in Area}
        kwargs["initial"] = levels | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        for area in Area:
            self.fields[f"level_{area}"] = forms.TypedChoiceField(
                label=str(AREA_LABELS[area]),
                coerce=lambda value: Level(int(value)),
                choices=[(int(level), LEVEL_LABELS[level]) for level in list_levels(area)],
                widget=forms.RadioSelect,
            )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for area in Area:
            level = values.get(f"level_{area}")
            if level is not None and level > self.editor.level(area):
                self.add_error(f"level_{area}", gettext("This level exceeds your own role."))
        return values

    @property
    def draft(self) -> RoleDraft:
        """The submitted role. Available once the form is valid."""
        values = self.cleaned_data
        levels = {area: values[f"level_{area}"] for area in Area}
        return RoleDraft(values["name"], values["description"], levels)

    @property
    def present_role(self) -> Role:
        """The role with the levels that are selected at present, valid or not."""
        if not self.is_bound:
            return self.start
        levels = {}
        for area in Area:
            text = str(self.data.get(f"level_{area}", ""))
            choices = {str(int(level)): level for level in list_levels(area)}
            levels[area] = choices.get(text, Level.NONE)
        return Role("", self.data.get("name", ""), "", levels)

    @property
    def rows(self) -> list[Row]:
        """The matrix of the present role."""
        return build_matrix(self.present_role, editor=self.editor)

    @property
    def level_errors(self) -> list[str]:
        """The errors of the selected levels, each with its area."""
        return [
            label_text(AREA_LABELS[area], error)
            for area in Area
            for error in self.errors.get(f"level_{area}", ())
        ]
