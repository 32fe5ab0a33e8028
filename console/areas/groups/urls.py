from django.urls import path

from console.areas.groups import devices, tags, views

app_name = "groups"
urlpatterns = [
    path("", views.group_list, name="list"),
    path("new/", views.create, name="create"),
    path("<str:group_id>/", views.detail, name="detail"),
    path("<str:group_id>/children/", views.children, name="children"),
    path("<str:group_id>/edit/", views.edit, name="edit"),
    path("<str:group_id>/delete/", views.delete, name="delete"),
    path("<str:group_id>/devices/", devices.list_devices, name="devices"),
    path("<str:group_id>/devices/add/", devices.add_devices, name="add-devices"),
    path("<str:group_id>/devices/remove/", devices.remove_devices, name="remove-devices"),
    path("<str:group_id>/tags/", tags.tag_list, name="tags"),
    path("<str:group_id>/tags/set/", tags.set_tag, name="set-tag"),
    path("<str:group_id>/tags/remove/", tags.remove_tag, name="remove-tag"),
]
