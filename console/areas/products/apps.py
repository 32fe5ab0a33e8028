from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "console.areas.products"
    label = "products"
