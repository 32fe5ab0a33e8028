from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "console.products"
    label = "products"
