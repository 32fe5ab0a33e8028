"""Forms of jobs: what to register, which column is which, and the filters of the lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from console.access.models import User
from console.jobs import kinds
from console.jobs.api import Product
from console.jobs.models import Job, JobQuerySet, Row
from console.ui.format import number
from console.ui.forms import FileWidget, FilterForm

MOST_RANDOM = 100_000


class ProductForm(forms.Form):
    """The product to register devices in."""

    product = forms.ChoiceField(label=_("Product"))

    def __init__(self, products: Iterable[Product], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(p.key, f"{p.name} · {p.key} · {number(p.devices)}") for p in products]
        field = self.fields["product"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (for the type checker)
        field.choices = [("", _("Choose a product")), *choices]
        field.help_text = _("Name, product key, and how many devices it has now.")


class FileForm(ProductForm):
    """Devices from a file."""

    file = forms.FileField(
        label=_("List of devices"),
        allow_empty_file=True,  # told better by the reading of it
        widget=FileWidget(accept=".csv,.txt,.tsv,text/csv,text/plain", max_bytes=settings.JOBS_UPLOAD_BYTES),
        help_text=_(
            "CSV with a column “device name”, and if you like “nickname” and “tag:…”. Commas, semicolons or tabs; UTF-8, "
            "UTF-16 or GB18030. One name a line, without a header, is fine too. Nothing is sent before you have seen "
            "what was found in it."
        ),
    )


class CountForm(ProductForm):
    """So many devices with random names."""

    count = forms.IntegerField(label=_("How many"), min_value=1, max_value=MOST_RANDOM)
    begins = forms.RegexField(
        label=_("Names begin with"),
        regex=r"^[A-Za-z0-9_.:@-]*\Z",
        required=False,
        max_length=16,
        strip=True,
        error_messages={
            "invalid": _("Only English letters, digits, hyphens, underscores, periods, at signs and colons.")
        },
        help_text=_("16 random characters follow."),
    )


class ColumnsForm(forms.Form):
    """Which column of a file is which, when its headings do not tell."""

    name = forms.TypedChoiceField(label=_("Device names are in"), coerce=int)
    nickname = forms.TypedChoiceField(
        label=_("Nicknames are in"), coerce=int, required=False, empty_value=None
    )
    headless = forms.BooleanField(
        label=_("The first line is a device, not a header"),
        required=False,
    )

    def __init__(self, headings: Sequence[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = [
            (place, _("Column %(number)d: %(heading)s") % {"number": place + 1, "heading": heading or "–"})
            for place, heading in enumerate(headings)
        ]
        name, nickname = self.fields["name"], self.fields["nickname"]
        assert isinstance(name, forms.ChoiceField) and isinstance(nickname, forms.ChoiceField)  # noqa: S101, PT018
        name.choices = places
        nickname.choices = [("", _("There are none")), *places]


class JobFilters(FilterForm):
    """The filters of a list of `jobs`. The people to choose from are those of these jobs: not all may see who is in the team."""

    kind = forms.ChoiceField(label=_("Kind"), required=False)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("Any")), *Job.State.choices])
    person = forms.ChoiceField(label=_("Person"), required=False)

    def __init__(self, request: Any, jobs: JobQuerySet) -> None:
        of_these = Q(pk__in=jobs.values("started_by")) | Q(pk__in=jobs.values("created_by"))
        people = User.objects.filter(of_these).order_by("name", "email")
        self._people = [("", _("Anybody")), *((str(person.pk), str(person)) for person in people)]
        super().__init__(request)

    def full_clean(self) -> None:
        """With the choices that only the team and the settings know."""
        for name, choices in (
            ("kind", [("", _("Any")), *((kind.slug, kind.label) for kind in kinds.table().values())]),
            ("person", self._people),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101
            field.choices = choices
        super().full_clean()


class RowFilters(FilterForm):
    """The filters of a job's rows."""

    q = forms.CharField(label=_("Search device names"), required=False, max_length=64)
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("Any")), *Row.State.choices]
    )
