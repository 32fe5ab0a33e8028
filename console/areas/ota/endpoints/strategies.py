"""Request bodies of new batches: which devices to update, when, and how fast."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from pydantic import Field, model_validator

from console.api.schemas import RequestBody, TimestampInput
from console.areas.ota import api, rules

Version = Annotated[str, Field(pattern=f"^{rules.VERSION}$")]
DeviceName = Annotated[str, Field(pattern=f"^{rules.DEVICE_NAME}$")]
TagKey = Annotated[str, Field(pattern=f"^{rules.TAG_KEY}$")]
TagText = Annotated[str, Field(min_length=1, max_length=1024)]


class BatchStrategy(RequestBody):
    """The update policy of a batch. The platform's defaults apply to fields that are left out."""

    rate: int | None = Field(
        None, ge=10, le=10_000, description=gettext_noop("Devices per minute. Default: the platform limit.")
    )
    retry_count: Literal[1, 2, 5] | None = None
    retry_interval: Literal[0, 10, 30, 60, 1440] | None = Field(
        None, description=gettext_noop("Minutes. Requires `retry_count`.")
    )
    timeout: int | None = Field(
        None,
        ge=1,
        le=1440,
        description=gettext_noop("Minutes, counted from a device's first progress report."),
    )
    overwrite: bool = Field(
        False, description=gettext_noop("Whether the batch overwrites pending updates of a device.")
    )
    need_push: bool = Field(
        True,
        description=gettext_noop(
            "Whether the update is pushed to devices. If false, a device gets the update when it requests it."
        ),
    )
    need_confirm: bool = Field(
        False, description=gettext_noop("Whether each update starts only after it is confirmed.")
    )
    multi_module: bool = Field(
        False, description=gettext_noop("For devices that support parallel module updates.")
    )
    protocol: Literal["HTTPS", "MQTT"] = Field(
        "HTTPS", description=gettext_noop("MQTT supports packages of up to 16 MB.")
    )
    tags: dict[TagKey, TagText] = Field(
        default_factory=dict,
        max_length=api.MAX_TAGS,
        description=gettext_noop("Batch tags. Devices receive them with the update."),
    )

    @model_validator(mode="after")
    def _check_retries(self) -> BatchStrategy:
        if self.retry_interval is not None and self.retry_count is None:
            raise ValueError(_("retry_interval requires retry_count."))
        return self

    def to_strategy(self) -> api.Strategy:
        """Return the strategy as the update area takes it."""
        return api.Strategy(
            rate=self.rate,
            retry_count=self.retry_count,
            retry_interval=self.retry_interval,
            timeout=self.timeout,
            overwrite=self.overwrite,
            need_push=self.need_push,
            need_confirm=self.need_confirm,
            multi_module=self.multi_module,
            protocol=self.protocol,
            tags=tuple(self.tags.items()),
        )


class StaticBatch(BatchStrategy):
    """A batch for devices that exist now."""

    target: Literal["ALL", "SPECIFIC", "GRAY", "GROUP"] = Field(
        description=gettext_noop(
            "ALL: all devices. SPECIFIC: `device_names`. GRAY: `percent` of all devices. GROUP: the group `group_id`."
        )
    )
    source_versions: list[Version] = Field(
        default_factory=list,
        max_length=api.MAX_SOURCE_VERSIONS,
        description=gettext_noop(
            "Update only devices on these versions. Only for ALL and GRAY. Default: any version."
        ),
    )
    device_names: list[DeviceName] = Field(default_factory=list, max_length=rules.MAX_LISTED_NAMES)
    percent: str = Field("", pattern=f"^{rules.PERCENT}?$")
    group_id: str = Field("", max_length=64)
    scheduled_start_at: TimestampInput | None = Field(
        None, description=gettext_noop("5 minutes to 7 days from now. Default: start now.")
    )
    scheduled_end_at: TimestampInput | None = Field(
        None, description=gettext_noop("1 hour to 30 days after the start.")
    )

    @model_validator(mode="after")
    def _check_target(self) -> StaticBatch:
        values: dict[str, Any] = {
            "SPECIFIC": self.device_names,
            "GRAY": self.percent,
            "GROUP": self.group_id,
        }
        if any(value for target, value in values.items() if target != self.target):
            raise ValueError(
                _("SPECIFIC requires device_names, GRAY requires percent, GROUP requires group_id.")
            )
        if self.source_versions and self.target in ("SPECIFIC", "GROUP"):
            raise ValueError(_("source_versions is only allowed for ALL and GRAY."))
        return self

    def to_target(self) -> api.BatchTarget:
        """Return the target as the update area takes it."""
        return api.BatchTarget(
            self.target,
            tuple(self.source_versions),
            tuple(dict.fromkeys(self.device_names)),
            self.percent,
            self.group_id,
        )


class DynamicBatch(BatchStrategy):
    """A batch that also updates devices that report one of the source versions later."""

    rate: int | None = Field(None, ge=10, le=1000, description=gettext_noop("Devices per minute."))
    source_versions: list[Version] = Field(min_length=1, max_length=api.MAX_SOURCE_VERSIONS)
    new_devices_only: bool = Field(
        False, description=gettext_noop("Only devices that report a source version from now on.")
    )


class Verification(RequestBody):
    """A test of a package on a few devices."""

    device_names: list[DeviceName] = Field(
        min_length=1,
        max_length=api.MAX_VERIFY_NAMES,
        description=gettext_noop("Devices of the package's product."),
    )
    timeout: int = Field(
        60,
        ge=1,
        le=1440,
        description=gettext_noop("Minutes. The update of a device that takes longer fails."),
    )
    need_push: bool = Field(
        True,
        description=gettext_noop(
            "Whether the update is pushed to devices. If false, a device gets the update when it requests it."
        ),
    )
    need_confirm: bool = Field(
        False, description=gettext_noop("Whether each update starts only after it is confirmed.")
    )
