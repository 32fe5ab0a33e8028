"""The parameters of registrations, and of the jobs that collect the secrets of their devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from console.jobs.params import JobParams
from console.jobs.tables import Layout

REGISTER_KIND = "devices.register"
SECRETS_KIND = "devices.secrets"


@dataclass(frozen=True)
class RegistrationParams(JobParams):
    """A registration of devices in a product. The names are in a file, generated, or those of an earlier registration.

    `count`, `prefix`: the number of generated names, and their prefix. `chosen`: the columns of the file that a user chose
    (key of a column → its index), `headless`: whether its first row is a device, `encoding`, `separator`: the Python name of the
    encoding, and the separator, that they chose, "" for none. `set_tags`: whether tags are set.
    """

    product_key: str
    product_name: str
    source: Literal["file", "count", "retry"]
    count: int = 0
    prefix: str = ""
    chosen: dict[str, int] | None = None
    headless: bool = False
    encoding: str = ""
    separator: str = ""
    set_tags: bool = False
    # What was found in the names: the layout of the file (`Layout.as_dict`), the cells of its first row if no column was
    # recognized, the number of empty rows, whether its text cannot be read, the findings and the doubts about valid
    # rows (`Findings.as_dict`), and whether devices have tags.
    layout: dict[str, Any] | None = None
    first_row: list[str] = field(default_factory=list)
    blank: int = 0
    has_unknown_encoding: bool = False
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    doubts: dict[str, dict[str, Any]] = field(default_factory=dict)
    tagged: bool = False

    @property
    def file_layout(self) -> Layout | None:
        """The layout of the file; None if there is none."""
        return Layout(**self.layout) if self.layout else None

    @property
    def headings(self) -> list[str]:
        """The cells of the row that names the columns of the file; empty if there is none."""
        layout = self.file_layout
        return self.first_row or (layout.header if layout else [])

    def for_retry(self) -> RegistrationParams:
        """Return the parameters of a registration that retries this one."""
        return RegistrationParams(self.product_key, self.product_name, "retry", set_tags=self.set_tags)


@dataclass(frozen=True)
class SecretsParams(JobParams):
    """The collection of the secrets of devices that a registration created in a product."""

    product_key: str
    product_name: str
