from django.urls import path

from console.areas.devices import choices, device, memberships, views
from console.areas.devices.bulk import BULK
from console.areas.devices.pages import DEVICE, TAGS

DEVICE_PATH = "<str:product_key>/<str:name>/"

app_name = "devices"
urlpatterns = [
    path("", views.device_list, name="list"),
    path("search/", views.search, name="search"),
    path("find/", choices.find_devices, name="find"),
    path("new/", views.create, name="create"),
    BULK.path("many/"),
    path(DEVICE_PATH, device.overview, name="detail"),
    path(f"{DEVICE_PATH}groups/", device.groups, name="groups"),
    path(f"{DEVICE_PATH}updates/", device.updates, name="updates"),
    path(f"{DEVICE_PATH}secret/", device.secret, name="secret"),
    *TAGS.paths(DEVICE_PATH),
    *DEVICE.paths(DEVICE_PATH),
    *DEVICE.paths(DEVICE_PATH, [memberships.ADD, memberships.REMOVE]),
]
