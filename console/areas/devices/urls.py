from django.urls import path

from console.areas.devices import device, views
from console.areas.devices.registration import downloads
from console.areas.devices.registration import views as registration

app_name = "devices"
urlpatterns = [
    path("", views.device_list, name="list"),
    path("search/", views.search, name="search"),
    path("new/", views.create, name="create"),
    path("many/<slug:action>/", views.act_on_devices, name="many"),
    path("registrations/new/", registration.register, name="register"),
    path("registrations/<int:job>/start/", registration.start, name="start-registration"),
    path("registrations/<int:job>/columns/", registration.columns, name="registration-columns"),
    path("registrations/<int:job>/secrets/", registration.secrets, name="collect-secrets"),
    path("registrations/<int:job>/secrets.csv", downloads.secrets, name="registration-secrets"),
    path("registrations/<int:job>/findings.csv", downloads.findings, name="registration-findings"),
    path(
        "registrations/<int:job>/invalid-rows.csv", downloads.invalid_rows, name="registration-invalid-rows"
    ),
    path("<str:product_key>/<str:name>/", device.overview, name="detail"),
    path("<str:product_key>/<str:name>/groups/", device.groups, name="groups"),
    path("<str:product_key>/<str:name>/groups/add/", device.add_group, name="add-group"),
    path("<str:product_key>/<str:name>/groups/remove/", device.remove_group, name="remove-group"),
    path("<str:product_key>/<str:name>/tags/", device.tags, name="tags"),
    path("<str:product_key>/<str:name>/tags/set/", device.set_tag, name="set-tag"),
    path("<str:product_key>/<str:name>/tags/remove/", device.remove_tag, name="remove-tag"),
    path("<str:product_key>/<str:name>/updates/", device.updates, name="updates"),
    path("<str:product_key>/<str:name>/rename/", device.rename, name="rename"),
    path("<str:product_key>/<str:name>/enable/", device.enable, name="enable"),
    path("<str:product_key>/<str:name>/disable/", device.disable, name="disable"),
    path("<str:product_key>/<str:name>/delete/", device.delete, name="delete"),
    path("<str:product_key>/<str:name>/secret/", device.secret, name="secret"),
]
