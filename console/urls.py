"""All URLs. Pages of a team are under its slug, pages of a connection under both slugs."""

from __future__ import annotations

from django.urls import include, path

from console.accounts.language import choose_language
from console.api.reference import reference
from console.ui.areas import all_areas

_connection = [
    path("", include("console.dashboard.urls")),
    *(path(f"{area.slug}/", include(area.urls)) for area in all_areas()),
    path("jobs/", include("console.jobs.urls")),
    path("bulk/", include("console.pages.urls")),
    path("explorer/", include("console.explorer.urls")),
]

handler400 = "console.ui.errors.bad_request"
handler403 = "console.ui.errors.permission_denied"
handler404 = "console.ui.errors.not_found"
handler500 = "console.ui.errors.server_error"
urlpatterns = [
    path("accounts/", include("console.sign_in.urls")),
    path("i18n/language/", choose_language, name="set_language"),
    path("_style/", include("console.ui.urls")),
    path("api/v1/", include("console.api.urls")),
    path("account/api/", reference, name="api-reference"),
    path("account/", include("console.sign_in.account_urls")),
    path("", include("console.teams.urls")),
    path("<slug:team>/", include("console.connections.urls")),
    path("", include("console.approvals.urls")),
    path("<slug:team>/<slug:connection>/", include(_connection)),
]
