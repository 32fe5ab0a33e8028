from django.urls import path

from console.jobs import commands, downloads, register, views

app_name = "jobs"
urlpatterns = [
    path("", views.job_list, name="list"),
    path("tray/", views.tray, name="tray"),
    path("register/", register.register, name="register"),
    path("<int:job>/", views.detail, name="detail"),
    path("<int:job>/live/", views.live, name="live"),
    path("<int:job>/start/", commands.start, name="start"),
    path("<int:job>/columns/", commands.columns, name="columns"),
    path("<int:job>/discard/", commands.discard, name="discard"),
    path("<int:job>/cancel/", commands.cancel, name="cancel"),
    path("<int:job>/retry/", commands.retry, name="retry"),
    path("<int:job>/secrets/", commands.secrets, name="secrets"),
    path("<int:job>/samples.json", views.samples, name="samples"),
    path("<int:job>/result.csv", downloads.result, name="result"),
    path("<int:job>/secrets.csv", downloads.result_with_secrets, name="result-with-secrets"),
    path("<int:job>/findings.csv", downloads.findings, name="findings"),
    path("<int:job>/invalid-rows.csv", downloads.invalid_rows, name="invalid-rows"),
]
