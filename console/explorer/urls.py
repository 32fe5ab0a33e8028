from django.urls import path

from console.explorer import views

app_name = "explorer"
urlpatterns = [
    path("", views.index, name="list"),
    path("history/", views.calls, name="history"),
    path("suggest/<slug:kind>/", views.suggest, name="suggest"),
    path("<slug:operation>/", views.call, name="operation"),
]
