from django.urls import path

from console.areas.devices import choices, device, memberships, views
from console.areas.devices.actions import BULK
from console.areas.devices.pages import DEVICE, TAGS
from console.areas.devices.registration import downloads
from console.areas.devices.registration import views as registration
from console.pages.bulk_views import bulk_path

DEVICE_PATH = "<id:product_key>/<id:name>/"

app_name = "devices"
urlpatterns = [
    path("", views.device_list, name="list"),
    path("of/<id:product_key>/", views.product_devices, name="of-product"),
    path("search/", views.search, name="search"),
    path("find/", choices.find_devices, name="find"),
    path("new/", views.create, name="create"),
    bulk_path(BULK),
    path("registrations/new/", registration.register, name="register"),
    path("registrations/<int:job>/start/", registration.start, name="start-registration"),
    path("registrations/<int:job>/columns/", registration.columns, name="registration-columns"),
    path("registrations/<int:job>/secrets/", registration.secrets, name="collect-secrets"),
    path("registrations/<int:job>/secrets.csv", downloads.secrets, name="registration-secrets"),
    path("registrations/<int:job>/findings.csv", downloads.findings, name="registration-findings"),
    path(
        "registrations/<int:job>/invalid-rows.csv", downloads.invalid_rows, name="registration-invalid-rows"
    ),
    path(DEVICE_PATH, device.overview, name="detail"),
    DEVICE.menu_path(DEVICE_PATH),
    path(f"{DEVICE_PATH}groups/", device.groups, name="groups"),
    path(f"{DEVICE_PATH}updates/", device.updates, name="updates"),
    path(f"{DEVICE_PATH}secret/", device.secret, name="secret"),
    *TAGS.paths(DEVICE_PATH),
    *DEVICE.paths(DEVICE_PATH),
    *DEVICE.paths(DEVICE_PATH, [memberships.ADD, memberships.REMOVE]),
]
