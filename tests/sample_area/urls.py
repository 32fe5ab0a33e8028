from django.http import HttpRequest, HttpResponse
from django.urls import path


def lamp_list(request: HttpRequest) -> HttpResponse:
    return HttpResponse("no lamps")


app_name = "lamps"
urlpatterns = [path("", lamp_list, name="list"), path("plans/", lamp_list, name="plans")]
