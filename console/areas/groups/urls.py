from django.urls import path

from console.areas.groups import actions, devices, views
from console.areas.groups.pages import GROUP, TAGS
from console.pages.bulk_views import bulk_path

app_name = "groups"
urlpatterns = [
    path("", views.group_list, name="list"),
    path("new/", actions.CREATE.show, name="create"),
    path("find/", views.find_groups, name="find"),
    path("counts/", views.counts, name="counts"),
    path("<id:group_id>/", views.overview, name="detail"),
    GROUP.menu_path("<id:group_id>/"),
    path("<id:group_id>/new/", actions.CREATE_SUBGROUP.show, name="create-subgroup"),
    path("<id:group_id>/totals/", views.totals, name="totals"),
    path("<id:group_id>/children/", views.children, name="children"),
    path("<id:group_id>/device-history.json", views.device_history, name="device-history"),
    path("<id:group_id>/devices/", devices.list_devices, name="devices"),
    path("<id:group_id>/devices/add/", devices.add_devices, name="add-devices"),
    bulk_path(actions.BULK),
    *TAGS.paths("<id:group_id>/"),
    *GROUP.paths("<id:group_id>/"),
]
