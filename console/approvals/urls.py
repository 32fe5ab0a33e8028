from django.urls import include, path

from console.approvals import views

app_name = "approvals"
_requests = [
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/ask/", views.submit_request, name="ask"),
    path("<int:pk>/approve/", views.approve, name="approve"),
    path("<int:pk>/refuse/", views.reject, name="refuse"),
    path("<int:pk>/withdraw/", views.withdraw, name="withdraw"),
]
urlpatterns = [
    path("<slug:team>/-/approvals/", views.list_requests, name="list"),
    path("<slug:team>/<slug:connection>/approvals/", include(_requests)),
]
