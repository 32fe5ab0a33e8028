from django.urls import path

from console.jobs import commands, downloads, views

app_name = "jobs"
urlpatterns = [
    path("", views.job_list, name="list"),
    path("tray/", views.tray, name="tray"),
    path("<int:job>/", views.detail, name="detail"),
    path("<int:job>/live/", views.live, name="live"),
    path("<int:job>/discard/", commands.discard, name="discard"),
    path("<int:job>/cancel/", commands.cancel, name="cancel"),
    path("<int:job>/retry/", commands.retry, name="retry"),
    path("<int:job>/result.csv", downloads.result, name="result"),
]
