"""The overview page of a connection."""

from __future__ import annotations

from django.urls import path

from console.dashboard import views

app_name = "dashboard"
urlpatterns = [
    path("", views.home, name="home"),
    path("failing-batches/", views.failing_batches, name="failing-batches"),
    path("device-history.json", views.device_history, name="device-history"),
]
