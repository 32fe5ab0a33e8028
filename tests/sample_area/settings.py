"""The settings of the tests, with one more area."""

from tests.settings import *  # noqa: F403

AREAS = (*AREAS, "tests.sample_area.area.AREA")  # noqa: F405
