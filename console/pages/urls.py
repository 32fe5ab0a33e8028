from django.urls import path

from console.pages import bulk_views

app_name = "pages"
urlpatterns = [path("<int:job>/start/", bulk_views.start, name="start-bulk")]
