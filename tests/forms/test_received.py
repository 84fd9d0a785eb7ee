"""What an API is sent in place of a file, as ``received()`` finds it."""

import pytest
from django.core.exceptions import ValidationError

from secure_dbstorage.forms import received
from tests.support.forms import ours, sent
from tests.support.uploads import CONTENT

pytestmark = pytest.mark.django_db

SIZE = len(CONTENT)


def test_it_returns_the_file() -> None:
    assert received(sent(), ours()).read() == CONTENT
    assert received(sent(), ours(), max_size=SIZE, types=["text/*"]).name == "a.txt"


@pytest.mark.parametrize("value", [None, 7, [], {"a": 1}, b"x", "", "x"])
def test_what_is_no_url_is_invalid(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        received(value, ours())
    assert caught.value.code == "upload_invalid"


def test_it_is_held_against_limits_and_bindings() -> None:
    here = sent(ip="127.0.0.1")
    assert received(here, ours(), ip="127.0.0.1").read() == CONTENT
    for url, more, code in [
        (sent(), {"max_size": 1}, "too_large"),
        (sent(), {"types": ["image/*"]}, "file_type"),
        (sent(), {"user": 1}, "upload_invalid"),
        (here, {}, "upload_invalid"),
        (here, {"ip": "203.0.113.9"}, "upload_invalid"),
    ]:
        with pytest.raises(ValidationError) as caught:
            received(url, ours(), **more)
        assert caught.value.code == code
