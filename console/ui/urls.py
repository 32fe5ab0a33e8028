"""The style guide."""

from django.urls import path

from console.ui import views

app_name = "ui"
urlpatterns = [
    path("", views.style, name="style"),
    path("chart.json", views.style_chart, name="style-chart"),
    path("form", views.style_form, name="style-form"),
    path("confirm", views.style_confirm, name="style-confirm"),
    path("switcher", views.style_switcher, name="style-switcher"),
    path("tray", views.style_tray, name="style-tray"),
]
