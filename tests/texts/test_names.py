"""The nearest of the names that exist, however somebody wrote one of them."""

import pytest

from intercom_nb.texts.names import nearest

KNOWN = ["network-engineer", "marketing-expert", "marketing-expert-2", "wedding-photographer", "family-physician"]


@pytest.mark.parametrize(
    "written", ["wedding-fotographer", "Wedding Photographer", "photographer", "wedding_photo", "photographer-wedding"]
)
def test_a_name_is_nearest_however_it_was_written(written):
    """With a slip, as people write it, a part of it, in another case, in another order."""
    assert nearest(written, KNOWN, 1) == ["wedding-photographer"]


def test_as_many_as_asked_for_are_named_best_first():
    """Also where nothing is like it; none, where they have to be."""
    assert nearest("marketing-exprt", KNOWN, 2) == ["marketing-expert", "marketing-expert-2"]
    assert len(nearest("…", KNOWN, 3)) == 3
    assert nearest("…", KNOWN, 3, at_least=60) == []
    assert nearest("look_upp", {"look_up": len, "send": print}, 1, at_least=60) == ["look_up"]
    assert nearest("x", [], 5) == []
