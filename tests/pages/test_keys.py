"""Keys of two values: joined and split again, and no other text is one."""

from __future__ import annotations

import pytest

from console.pages.keys import is_key, join_key, split_key


def test_a_key_is_split_into_the_values_that_were_joined():
    assert split_key(join_key("a1product", "lamp-1")) == ("a1product", "lamp-1")
    assert is_key("a1product/lamp-1")


@pytest.mark.parametrize("text", ["", "/", "a/", "/b", "ab", "a/b/c"])
def test_another_text_is_no_key(text):
    assert not is_key(text)
    with pytest.raises(ValueError, match="not a key"):
        split_key(text)
