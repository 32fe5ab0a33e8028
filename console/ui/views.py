"""The style guide: every component in every state. Available with DEBUG or STYLE_GUIDE."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from console.ui import styleguide
from console.ui.forms import FORM_REFUSED, ConfirmForm
from console.ui.paging import TokenPage

View = Callable[[HttpRequest], HttpResponseBase]


def style_guide_page(view: View) -> View:
    """Decorates a page of the style guide: no sign-in needed, 404 if the guide is off."""

    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponseBase:
        if not getattr(settings, "STYLE_GUIDE", settings.DEBUG):
            raise Http404
        return view(request)

    return login_not_required(checked)


@style_guide_page
def style(request: HttpRequest) -> HttpResponseBase:
    """All components on one page; `?format=csv` exports the sample list."""
    filters = styleguide.SampleFilters(request)
    rows = styleguide.filter_meters(filters.values, request.GET.get("sort", ""))
    if request.GET.get("format") == "csv":
        return styleguide.METERS.csv_response(rows, "meters.csv")
    page, page_rows = styleguide.select_page(request, rows)
    context = styleguide.context(request) | {
        "filters": filters,
        "table": styleguide.METERS.bind(request, page_rows, page=page, empty=styleguide.NOTHING),
        "token_table": styleguide.PLAIN.bind(request, rows[:3], page=TokenPage(25, 3, 1, "AAAAAWq")),
        "empty_table": styleguide.EMPTY.bind(request, [], empty=styleguide.NOTHING),
    }
    return render(request, "ui/style/guide.html", context)


@style_guide_page
def style_chart(request: HttpRequest) -> HttpResponseBase:
    """Data for the sample chart."""
    return JsonResponse(styleguide.sample_counts())


@style_guide_page
def style_form(request: HttpRequest) -> HttpResponseBase:
    """The sample form, which shows its errors or a success message."""
    form = styleguide.SampleForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        messages.success(request, "Saved the sample.")
        return redirect("ui:style")
    context = {"form": form, "title": "A form", "submit": "Create product", "cancel": reverse("ui:style")}
    return _form(request, "ui/form_page.html", context)


@style_guide_page
def style_confirm(request: HttpRequest) -> HttpResponseBase:
    """The sample of a deletion that asks for the name."""
    form = ConfirmForm("SmartMeter_Gen3", request.POST if "typed" in request.POST else None)
    if request.method == "POST" and form.is_bound and form.is_valid():
        messages.success(request, "Deleted SmartMeter_Gen3 (sample only).")
        return redirect("ui:style")
    context = {
        "form": form,
        "title": "Delete the product SmartMeter_Gen3?",
        "text": "This cannot be undone.",
        "consequences": [
            "2,140 devices are deleted with it.",
            "Their shadows and files are deleted.",
            "Its rules are stopped.",
        ],
        "submit": "Delete product",
        "action": request.path,
        "cancel": reverse("ui:style"),
    }
    return _form(request, "ui/confirm_page.html", context)


@style_guide_page
def style_tray(request: HttpRequest) -> HttpResponseBase:
    """The sample job tray."""
    return render(request, "ui/job_tray.html", {"jobs": styleguide.JOBS, "running": 1})


@style_guide_page
def style_switcher(request: HttpRequest) -> HttpResponseBase:
    """The sample content of the switcher."""
    return render(request, "ui/switcher.html", {"shell": styleguide.SampleShell(request)})


def _form(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    status = FORM_REFUSED if context["form"].is_bound else 200
    frame = {"shell": styleguide.SampleShell(request), "crumbs": [("Style guide", reverse("ui:style"))]}
    return render(request, template, {**frame, **context}, status=status)
