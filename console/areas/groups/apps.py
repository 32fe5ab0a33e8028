from django.apps import AppConfig


class GroupsConfig(AppConfig):
    name = "console.areas.groups"
    label = "groups"
