"""The filters of the lists of jobs and of their items."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from console.accounts.models import User
from console.jobs import kinds
from console.jobs.kinds import Kind
from console.jobs.models import Item, Job, JobQuerySet
from console.ui.forms import FilterForm
from console.ui.statuses import status


class JobFilters(FilterForm):
    """The filters of a list of `jobs`. Only users of these jobs can be chosen, because not every member may see all members."""

    kind = forms.ChoiceField(label=_("Type"), required=False)
    state = forms.ChoiceField(label=_("Status"), required=False, choices=[("", _("Any")), *Job.State.choices])
    person = forms.ChoiceField(label=_("User"), required=False)

    def __init__(self, request: Any, jobs: JobQuerySet) -> None:
        job_users = Q(pk__in=jobs.values("started_by")) | Q(pk__in=jobs.values("created_by"))
        users = User.objects.filter(job_users).order_by("name", "email")
        self._users = [("", _("Any")), *((str(user.pk), str(user)) for user in users)]
        super().__init__(request)

    def full_clean(self) -> None:
        """Clean the form with the choices that depend on the settings and the jobs."""
        for name, choices in (
            ("kind", [("", _("Any")), *((kind.slug, kind.label) for kind in kinds.all_kinds().values())]),
            ("person", self._users),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101
            field.choices = choices
        super().full_clean()


class ItemFilters(FilterForm):
    """The filters of the items of a job of this `kind`; without outcomes if the job has not started."""

    q = forms.CharField(label=_("Search items"), required=False, max_length=64)
    outcome = forms.ChoiceField(label=_("Status"), required=False)

    def __init__(self, request: Any, kind: Kind[Any], *, with_outcomes: bool = True) -> None:
        self._with_outcomes = with_outcomes
        self._outcomes = [
            (outcome, status(kind.status_kind, outcome).label) for outcome in Item.Outcome.values
        ]
        super().__init__(request)

    def full_clean(self) -> None:
        """Clean the form with the outcomes as the kind calls them."""
        if not self._with_outcomes:
            self.fields.pop("outcome", None)
            super().full_clean()
            return
        field = self.fields["outcome"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [("", _("Any")), *self._outcomes]
        super().full_clean()
