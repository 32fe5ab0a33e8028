"""Pages about a team's connections; those about one name it as all its pages do, so that the middleware resolves it."""

from __future__ import annotations

from django.urls import path

from console.connections import views

app_name = "connections"
urlpatterns = [
    path("-/connections/", views.connections, name="list"),
    path("-/connections/add/", views.add, name="add"),
    path("-/connections/<slug:connection>/edit/", views.edit, name="edit"),
    path("-/connections/<slug:connection>/test/", views.test, name="test"),
    path("-/connections/<slug:connection>/delete/", views.delete, name="delete"),
]
