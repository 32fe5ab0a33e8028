from django.urls import path
from django.views.decorators.http import require_safe

from console.areas.products import views
from console.areas.products.actions import BULK, CREATE
from console.areas.products.pages import LIST, PRODUCT, TAGS
from console.pages.bulk_views import bulk_path

app_name = "products"
urlpatterns = [
    path("", require_safe(LIST.show), name="list"),
    path("new/", CREATE.show, name="create"),
    path("categories/", views.find_category, name="find-category"),
    bulk_path(BULK),
    path("<id:key>/", views.overview, name="detail"),
    PRODUCT.menu_path("<id:key>/"),
    path("<id:key>/device-history.json", views.device_history, name="device-history"),
    path("<id:key>/secret/", views.reveal_secret, name="secret"),
    *TAGS.paths("<id:key>/"),
    *PRODUCT.paths("<id:key>/"),
]
