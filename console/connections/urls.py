"""Pages about a team's connections. The middleware resolves `<slug:connection>`, as on all pages of a connection."""

from __future__ import annotations

from django.urls import path

from console.connections import views

app_name = "connections"
urlpatterns = [
    path("-/connections/", views.list_connections, name="list"),
    path("-/connections/add/", views.add, name="add"),
    path("-/connections/<slug:connection>/menu/", views.menu, name="menu"),
    path("-/connections/<slug:connection>/edit/", views.edit, name="edit"),
    path("-/connections/<slug:connection>/test/", views.test, name="test"),
    path("-/connections/<slug:connection>/delete/", views.delete, name="delete"),
]
