import pytest
from django.test import RequestFactory


@pytest.fixture
def guide(settings):
    """The style guide, switched on."""
    settings.STYLE_GUIDE = True
    return settings


@pytest.fixture
def get(rf: RequestFactory):
    """A GET request outside any team."""
    return rf.get
