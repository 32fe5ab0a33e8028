from django.urls import path

from console.areas.products import product, views

app_name = "products"
urlpatterns = [
    path("", views.product_list, name="list"),
    path("new/", views.create, name="create"),
    path("publish/", views.publish_products, name="publish-many"),
    path("unpublish/", views.unpublish_products, name="unpublish-many"),
    path("<str:key>/", product.detail, name="detail"),
    path("<str:key>/devices/", product.devices, name="devices"),
    path("<str:key>/tags/", product.tags, name="tags"),
    path("<str:key>/tags/set/", product.set_tag, name="set-tag"),
    path("<str:key>/tags/remove/", product.remove_tag, name="remove-tag"),
    path("<str:key>/edit/", product.edit, name="edit"),
    path("<str:key>/publish/", product.publish, name="publish"),
    path("<str:key>/unpublish/", product.unpublish, name="unpublish"),
    path("<str:key>/delete/", product.delete, name="delete"),
    path("<str:key>/secret/", product.reveal_secret, name="secret"),
]
