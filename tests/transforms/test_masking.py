"""What a masked identifier still says, and what it never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.masking import mask

IDENTIFIERS = st.one_of(
    st.text(),
    st.emails(),
    st.from_regex(r"\+?[0-9]{8,16}", fullmatch=True),
    st.from_regex(r"C-[0-9]{1,12}", fullmatch=True),
    st.text(alphabet="a•@. ", max_size=12),
)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("+919876543210", "+9••••10"),
        ("4000123412341234", "40••••34"),
        ("C-100487", "C-••••87"),
        ("C-1004", "C••••4"),
        ("C-10", "C••••"),
        ("C-1", "••••"),
        ("", "••••"),
        ("asha.rao@example.com", "a••••@••••.com"),
        ("asha@mail.example.co.in", "a••••@••••.in"),
        ("ab@example.photography", "••••@••••"),
        ("asha@localhost", "a••••@••••"),
        ("  C-100487\r\n", "C-••••87"),
        ("\u202eC-100487", "C-••••87"),  # a right-to-left mark turns the rest of a line around
    ],
)
def test_mask_keeps_only_the_ends(value, masked):
    assert mask(value) == masked


@given(IDENTIFIERS)
def test_mask_never_returns_what_it_got(value):
    assert mask(value) != value


@given(IDENTIFIERS)
def test_mask_never_keeps_five_characters_together(value):
    assert max(len(kept) for kept in mask(value).split("•")) <= 4


@given(IDENTIFIERS)
def test_mask_keeps_at_most_half_of_an_identifier(value):
    kept = [char for char in mask(value).rpartition("@")[0] or mask(value) if char != "•"]
    assert len(kept) <= max(1, len(value) // 2)


@given(st.integers(8, 40))
def test_mask_does_not_reveal_the_length(length):
    assert mask("7" * length) == mask("7" * 8)


def test_masking_twice_hides_more_not_less():
    assert mask(mask("C-100487")) == "C••••"
    assert mask("••••") == "•••"
