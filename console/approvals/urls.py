from django.urls import path

from console.approvals import views

app_name = "approvals"
urlpatterns = [
    path("<slug:team>/-/approvals/", views.list_requests, name="list"),
    path("<slug:team>/<slug:connection>/approvals/<int:pk>/", views.detail, name="detail"),
    path("<slug:team>/<slug:connection>/approvals/<int:pk>/ask/", views.submit_request, name="ask"),
    path("<slug:team>/<slug:connection>/approvals/<int:pk>/approve/", views.approve, name="approve"),
    path("<slug:team>/<slug:connection>/approvals/<int:pk>/refuse/", views.reject, name="refuse"),
    path("<slug:team>/<slug:connection>/approvals/<int:pk>/withdraw/", views.withdraw, name="withdraw"),
]
