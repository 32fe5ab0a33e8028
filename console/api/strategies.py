"""What programs say of a batch that they want: which devices, when, how fast."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import Field, model_validator

from console.api.schemas import Body, Given
from console.ota import api
from console.ota.batch_forms import MAX_DURATION, MAX_START_DELAY, MIN_DURATION, MIN_START_DELAY

Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
DeviceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-_@.:]{4,32}$")]
TagKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,30}$")]
TagText = Annotated[str, Field(min_length=1, max_length=1024)]


class Strategy(Body):
    """How a batch goes about it; what is left out is the platform's default."""

    rate: int | None = Field(None, ge=10, le=10_000, description="Devices a minute.")
    retry_count: Literal[1, 2, 5] | None = None
    retry_interval: Literal[0, 10, 30, 60, 1440] | None = Field(
        None, description="Minutes. Needs `retry_count`."
    )
    timeout: int | None = Field(
        None, ge=1, le=1440, description="Minutes, from the first progress of a device."
    )
    overwrite: bool = Field(False, description="Whether a device's earlier update that waits is dropped.")
    need_push: bool = Field(True, description="Whether devices are told at once.")
    need_confirm: bool = Field(False, description="Whether each device's update waits to be confirmed.")
    multi_module: bool = Field(False, description="For devices that can update several modules side by side.")
    protocol: Literal["HTTPS", "MQTT"] = Field("HTTPS", description="MQTT takes packages of at most 16 MB.")
    tags: dict[TagKey, TagText] = Field(
        default_factory=dict, max_length=api.MAX_TAGS, description="Devices get them with the notification."
    )

    @model_validator(mode="after")
    def _intervals(self) -> Strategy:
        if self.retry_interval is not None and self.retry_count is None:
            raise ValueError(_("A time before a retry needs a number of retries."))
        if self.timeout and self.retry_interval and self.retry_interval >= self.timeout:
            raise ValueError(_("The time before a retry must be shorter than the timeout."))
        if self.multi_module and self.overwrite:
            raise ValueError(_("Waiting updates cannot be replaced when several modules run at a time."))
        return self

    def strategy(self) -> api.Strategy:
        """As the room knows it."""
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


class StaticBatch(Strategy):
    """A batch over the devices there are now."""

    target: Literal["ALL", "SPECIFIC", "GRAY", "GROUP"] = Field(
        description="All devices, those of `names`, `percent` of all, or those of `group_id`."
    )
    source_versions: list[Version] = Field(default_factory=list, max_length=api.MAX_SOURCE_VERSIONS)
    names: list[DeviceName] = Field(default_factory=list, max_length=api.MAX_LISTED_NAMES)
    percent: str = Field("", pattern=r"^(100(\.0{1,3})?|\d{1,2}(\.\d{1,3})?)?$")
    group_id: str = Field("", max_length=64)
    start_at: Given | None = Field(None, description="5 minutes to 7 days ahead; left out: at once.")
    finish_at: Given | None = Field(None, description="An hour to 30 days after the start.")

    @model_validator(mode="after")
    def _target_named(self) -> StaticBatch:
        needed: dict[str, Any] = {"SPECIFIC": self.names, "GRAY": self.percent, "GROUP": self.group_id}
        for target, value in needed.items():
            if bool(value) != (self.target == target):
                raise ValueError(_("SPECIFIC goes with names, GRAY with percent, GROUP with group_id."))
        if self.source_versions and self.target in ("SPECIFIC", "GROUP"):
            raise ValueError(_("Source versions go with ALL and GRAY."))
        if self.finish_at and not self.start_at:
            raise ValueError(_("An end needs a start."))
        now = timezone.now()
        if self.start_at and not now + MIN_START_DELAY <= self.start_at <= now + MAX_START_DELAY:
            raise ValueError(_("The start must be 5 minutes to 7 days from now."))
        if (
            self.start_at
            and self.finish_at
            and not self.start_at + MIN_DURATION <= self.finish_at <= self.start_at + MAX_DURATION
        ):
            raise ValueError(_("The end must be 1 hour to 30 days after the start."))
        return self

    def aim(self) -> api.BatchTarget:
        """As the room knows it."""
        return api.BatchTarget(
            self.target,
            tuple(self.source_versions),
            tuple(dict.fromkeys(self.names)),
            self.percent,
            self.group_id,
        )


class DynamicBatch(Strategy):
    """A batch that keeps taking devices that report one of the versions."""

    rate: int | None = Field(None, ge=10, le=1000, description="Devices a minute.")
    source_versions: list[Version] = Field(min_length=1, max_length=api.MAX_SOURCE_VERSIONS)
    newcomers_only: bool = Field(False, description="Only devices that report a version from now on.")


class Verification(Body):
    """Trying a package on a few devices."""

    names: list[DeviceName] = Field(
        min_length=1, max_length=api.MAX_VERIFY_NAMES, description="Devices of the package's product."
    )
    timeout: int = Field(
        60, ge=1, le=1440, description="Minutes; a device that takes longer counts as failed."
    )
    need_push: bool = Field(True, description="Whether devices are told at once.")
    need_confirm: bool = Field(False, description="Whether each device's update waits to be confirmed.")
