"""A team's cloud accounts."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.accounts.encryption import EncryptedTextField
from console.accounts.models import Membership, Team, User
from console.connections.regions import name_region
from iot_client.errors import MAX_CODE_LENGTH


def validate_connection_slug(slug: str) -> None:
    """Raises ValidationError if the slug starts with "-" or "_". URLs of team pages have "-" in place of a connection."""
    if slug.startswith(("-", "_")):
        raise ValidationError(_("Start the short name with a letter or digit."), code="reserved")


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def for_team(self, team: Team) -> ConnectionQuerySet:
        return self.filter(team=team)

    def in_scope_of(self, membership: Membership) -> ConnectionQuerySet:
        """The connections of the membership's team that are in its access scope."""
        connections = self.filter(team=membership.team_id)
        for access_scope in membership.access_scopes:
            if access_scope.connections:
                connections = connections.filter(pk__in=access_scope.connections)
        return connections


class Connection(models.Model):
    """A cloud account (or RAM user), region and instance that a team works with."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="connections")
    slug = models.SlugField(_("short name"), max_length=40, validators=[validate_connection_slug])
    name = models.CharField(_("name"), max_length=80)
    region = models.CharField(_("region"), max_length=40, default="cn-shanghai")
    instance_id = models.CharField(_("instance ID"), max_length=64, blank=True)
    endpoint = models.CharField(_("endpoint"), max_length=255, blank=True)
    access_key_id = models.CharField(_("AccessKey ID"), max_length=128)
    access_key_secret = EncryptedTextField(_("AccessKey secret"))
    security_token = EncryptedTextField(_("STS token"), blank=True, default="")
    # `account` when the history of the fleet began, if the AccessKey was replaced by another one of the same account; else "".
    first_account = models.CharField(max_length=512, blank=True, default="", editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    # The last test of the keys as they are stored: its time, and the code of its error ("" if the platform accepted them).
    tested_at = models.DateTimeField(_("tested"), null=True, blank=True)
    test_error = models.CharField(
        _("error of the test"), max_length=MAX_CODE_LENGTH, blank=True, default="", db_default=""
    )

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "slug"], name="unique_connection_slug_per_team")
        ]
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def quota_account(self) -> str:
        """The account that the platform counts call quotas for, as far as the console can know: the AccessKey ID and the
        region."""
        return f"{self.access_key_id}@{self.region}"

    @property
    def region_label(self) -> str:
        """The name and the ID of the region."""
        return name_region(self.region)

    @property
    def test_status(self) -> str:
        """Whether the platform accepted the keys in the last test: `accepted`, `refused`, or `untested`."""
        if self.tested_at is None:
            return "untested"
        return "refused" if self.test_error else "accepted"

    @property
    def account(self) -> str:
        """Identifies the fleet, as far as the console can know: another key, region, instance or endpoint may be another fleet."""
        return f"{self.quota_account}/{self.instance_id} {self.endpoint}".strip()


class RecentAction(models.Model):
    """Objects that a team recently affected under an approval rule with a window. Added up, so that many small actions count as a
    large one."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    rule = models.CharField(max_length=40)  # the slug of an ApprovalRule
    at = models.DateTimeField(db_default=Now())
    count = models.PositiveIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["team", "rule", "at"], name="recent_actions_of_team")]

    def __str__(self) -> str:
        return f"{self.count} under {self.rule}"


class Submission(models.Model):
    """A submitted form, identified by its token. `result` is the id or the page of the created object; "" while it is unknown."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    result = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connection", "user", "token"], name="unique_submission_token")
        ]

    def __str__(self) -> str:
        return f"{self.token}: {self.result or 'unknown'}"
