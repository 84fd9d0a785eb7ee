"""Numbers and bytes come back from their texts, and the texts need no quoting."""

import base64
from urllib.parse import quote

from hypothesis import example, given
from hypothesis import strategies as st

from secure_dbstorage.links.encodings import base36, base64url, from_base64url


@given(st.integers(0, 2**70))
@example(0)
@example(35)
@example(36)
@example(36**5 - 1)
@example(36**5)
def test_a_number_comes_back(number: int) -> None:
    text = base36(number)
    assert int(text, 36) == number
    assert text == text.lower()
    assert text == "0" or not text.startswith("0")


@given(st.binary(max_size=50))
def test_bytes_come_back(data: bytes) -> None:
    text = base64url(data)
    assert from_base64url(text) == data
    assert quote(text, safe="") == text
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
