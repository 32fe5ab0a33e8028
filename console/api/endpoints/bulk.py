"""Actions on several objects: one operation for each action that an area declares (`Area.bulk`), all of the same shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Annotated, Any, Literal

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override
from ninja import Router, Schema, Status
from pydantic import Field, create_model, model_validator

from console.api.endpoints.approvals import Approval
from console.api.endpoints.jobs import Job
from console.api.http import ApiRequest, open_gateway
from console.api.problems import validation_problem
from console.api.schemas import RequestBody
from console.jobs import actions as job_actions
from console.jobs.models import MAX_KEY_LENGTH
from console.pages import jobs
from console.pages.bulk import Bulk, BulkPages
from console.ui.areas import Area
from console.ui.forms import FilterForm
from iot_client.errors import CloudError, explain

MAX_KEYS = 10_000
"""The largest number of keys in one request."""
Key = Annotated[str, Field(min_length=1, max_length=MAX_KEY_LENGTH)]
_SHOWN_ERRORS = 20
_HOW_MANY = gettext_noop(
    "A small number of objects is processed immediately, with an outcome for each. For a larger number, a job is created."
)
_START_HELP = gettext_noop(
    "Whether a job starts as soon as its list has been read. Otherwise, review its items and start it with"
    " POST …/jobs/{job_id}/start. If a rule of the team requires approval, it stays `ready` until you start it."
)
_FILTERS_HELP = gettext_noop(
    "Instead of `keys`: all objects that match. Leave out filters that you do not need."
)
_PATH_PARAMETER = re.compile(r"<id:(\w+)>")


class BulkOutcome(Schema):
    """The outcome for one object."""

    key: str
    done: bool
    unknown: bool = Field(
        description="Whether the action may have been carried out although no response confirmed it."
    )
    error: str = Field(description="Why the action failed; empty if it succeeded.")
    platform_code: str = Field(description="Error code of the platform; empty without one.")

    @classmethod
    def from_error(cls, key: str, error: CloudError | None) -> BulkOutcome:
        if error is None:
            return cls(key=key, done=True, unknown=False, error="", platform_code="")
        text = _(explain(error).title)
        return cls(
            key=key, done=False, unknown=error.is_outcome_unknown, error=text, platform_code=error.code
        )


class BulkResult(Schema):
    """The outcomes of an action on a few objects."""

    succeeded: int
    failed: int
    outcomes: list[BulkOutcome]


class BulkBody(RequestBody):
    """The objects of an action. The body of each operation says more about `keys` and `filters`."""

    keys: list[Key] | None = Field(None, min_length=1, max_length=MAX_KEYS)
    filters: RequestBody | None = None
    start: bool = Field(False, description=_START_HELP)

    @model_validator(mode="after")
    def _check_objects(self) -> BulkBody:
        if (self.keys is None) == (self.filters is None):
            raise ValueError(_("Enter either keys or filters."))
        return self


def build_router(area: Area) -> Router:
    """Return the operations for the actions of an area on several objects."""
    with override(None):
        router = Router(tags=[str(area.label)])
    for pages in area.bulk:
        address = f"{area.slug}/{pages.address}bulk/"
        words = re.findall(r"\w+", _PATH_PARAMETER.sub("", f"{area.slug}/{pages.address}"))
        body = _build_body(pages, "".join(word.title() for word in words))
        for action in pages.actions:
            view = _build_view(pages, action, body)
            view.__name__ = "_".join(["bulk", action.slug, *words])
            router.post(
                "/{slug:connection}/" + _PATH_PARAMETER.sub(r"{\1}", f"{address}{action.slug}"),
                response={200: BulkResult, 202: Job | Approval},
                description=f"{action.description}\n\n{_HOW_MANY}",
            )(view)
    return router


def _build_body(pages: BulkPages[Any], name: str) -> type[BulkBody]:
    """Return the request body for the objects of a list, with its keys and its filters."""
    fields: dict[str, Any] = {}
    for field, form_field in pages.filters.base_fields.items():
        filter_name = pages.filter_names.get(field, field)
        fields[filter_name] = _build_filter(form_field, pages.filter_help.get(filter_name, ""))
    filters: Any = create_model(
        f"{name}Filters", __base__=RequestBody, __doc__="The objects of a list that match.", **fields
    )
    return create_model(
        f"{name}Selection",
        __base__=BulkBody,
        __doc__="The objects of an action: their keys, or filters.",
        keys=(list[Key] | None, Field(None, min_length=1, max_length=MAX_KEYS, description=pages.keys_help)),
        filters=(filters | None, Field(None, description=_FILTERS_HELP)),
    )


def _build_filter(field: forms.Field, description: str) -> tuple[Any, Any]:
    """Return type and description (by default the label) of a filter. A choice of yes and no is a boolean."""
    with override(None):
        description = description or str(field.label)
    choices = [value for value, _label in field.choices if value] if hasattr(field, "choices") else []
    if choices == ["yes", "no"]:
        return bool | None, Field(None, description=description)
    if choices:
        return Literal[tuple(choices)] | None, Field(None, description=description)
    most = getattr(field, "max_length", None) or 64
    return str | None, Field(None, max_length=most, description=description)


def _build_view(pages: BulkPages[Any], action: Bulk, body: type[BulkBody]) -> Any:
    """Return the view of an action, with the signature that ninja reads."""

    def view(request: ApiRequest, connection: str, body: BulkBody, **ids: str) -> Any:
        return _act(request, connection, pages, action, body, ids)

    types = {"request": ApiRequest, "connection": str, "body": body}
    types |= dict.fromkeys(_PATH_PARAMETER.findall(pages.address), str)
    view.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=kind) for name, kind in types.items()]
    )
    return view


def _act(
    request: ApiRequest,
    connection: str,
    pages: BulkPages[Any],
    action: Bulk,
    body: BulkBody,
    ids: Mapping[str, str],
) -> BulkResult | Status[Job]:
    """Act on a few objects, or create a job for more of them."""
    gateway = open_gateway(request, connection)
    gateway.require(action.operation)
    query: QueryDict | None = None
    if body.filters is None:
        keys = _read_keys(pages, body.keys or [])
    else:
        query, filters = _read_filters(pages, body.filters)
        keys = pages.list_first_keys(action, gateway, filters, ids)
    if len(keys) > action.direct:
        selected: dict[str, Any] = {"keys": keys} if query is None else {"query": query}
        job = jobs.create_draft(gateway, pages, action, ids, starts=body.start, **selected)
        if body.start and job.state == job.State.READY:
            job_actions.start(job, gateway)  # raises ApprovalNeeded: the program gets the request
        return Status(202, Job.from_job(job))
    outcomes = [
        BulkOutcome.from_error(key, error)
        for key, error in zip(keys, action.run(gateway, keys, ids) if keys else (), strict=True)
    ]
    done = sum(outcome.done for outcome in outcomes)
    return BulkResult(succeeded=done, failed=len(outcomes) - done, outcomes=outcomes)


def _read_keys(pages: BulkPages[Any], keys: list[str]) -> list[str]:
    """Return the keys, each once. Raises Problem if one is not a key of this list."""
    wrong = [position for position, key in enumerate(keys) if not pages.accepts(key)]
    if wrong:
        text = _("This is not a key of this list. Required: %(keys)s") % {"keys": _(pages.keys_help)}
        raise validation_problem((f"keys.{position}", text) for position in wrong[:_SHOWN_ERRORS])
    return list(dict.fromkeys(keys))


def _read_filters(pages: BulkPages[Any], filters: RequestBody) -> tuple[QueryDict, FilterForm]:
    """Return the filters as the query of the list and as its form. Raises Problem for an invalid filter, without which the
    action would affect more objects."""
    fields = {name: field for field, name in pages.filter_names.items()}
    query = QueryDict(mutable=True)
    for name, value in filters.model_dump(exclude_none=True).items():
        query[fields.get(name, name)] = {True: "yes", False: "no"}.get(value, value)
    form = pages.filters.from_query(query)
    if form.errors:
        raise validation_problem(
            (f"filters.{pages.filter_names.get(field, field)}", str(text))
            for field, texts in form.errors.items()
            for text in texts
        )
    return query, form
