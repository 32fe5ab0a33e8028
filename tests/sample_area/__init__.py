"""An area as small as an area can be. tests/test_areas.py adds it to the console."""
