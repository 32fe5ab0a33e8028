"""The console's URLs, and an admin site with the list of devices. The site is as Django makes it, for any signed-in user."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import path

from console.urls import urlpatterns as console_urls
from tests.bench.yardstick.models import Device


class Site(admin.AdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_authenticated


class DeviceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The columns, the search and the filter that the console's list shows."""

    list_display = ("name", "status", "nickname", "created")
    list_filter = ("status",)
    search_fields = ("name",)
    list_per_page = 25

    def has_view_permission(self, request: HttpRequest, obj: Device | None = None) -> bool:
        return True

    has_module_permission = has_view_permission
    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True


site = Site(name="admin")
site.register(Device, DeviceAdmin)
urlpatterns = [path("yardstick/", site.urls), *console_urls]
