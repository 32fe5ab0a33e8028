from django.urls import path
from django.views.decorators.http import require_safe

from console.areas.messaging import views
from console.areas.messaging.actions import CATEGORY_BULK, CREATE, CREATE_ROUTES, ROUTE_BULK
from console.areas.messaging.pages import CATEGORY, LIST
from console.pages.bulk_views import bulk_path

PRODUCT_PATH = "products/<id:product_key>/"

app_name = "messaging"
urlpatterns = [
    path("", require_safe(LIST.show), name="list"),
    path(PRODUCT_PATH, views.product_topics, name="topics"),
    path(f"{PRODUCT_PATH}new/", CREATE.show, name="create"),
    bulk_path(CATEGORY_BULK),
    *CATEGORY.paths(f"{PRODUCT_PATH}categories/<idpath:short_name>/"),
    path("devices/<id:product_key>/<id:name>/", views.device_topics, name="device-topics"),
    path("routes/", views.routes, name="routes"),
    path("routes/new/", CREATE_ROUTES.show, name="create-routes"),
    bulk_path(ROUTE_BULK),
]
