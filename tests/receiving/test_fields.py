"""Header fields of uploads: read to the letter, or refused."""

import base64
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_dbstorage.receiving.faults import Rejected
from secure_dbstorage.receiving.fields import (
    Checksum,
    Metadata,
    content_length,
    has_body,
    number,
    sha256_digests,
)

WINDOWS_NAME = b"C:\\x.txt"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@given(st.text(max_size=50) | st.text("0123456789", max_size=50))
def test_a_number_is_digits_alone(text: str) -> None:
    meta = {"HTTP_UPLOAD_LENGTH": text}
    if text.isascii() and text.isdigit() and len(text) <= 40:
        assert number(meta, "Upload-Length") == int(text)
        return
    with pytest.raises(Rejected) as caught:
        number(meta, "Upload-Length")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("meta", "has_one"),
    [
        ({}, False),
        ({"CONTENT_LENGTH": ""}, False),
        ({"CONTENT_LENGTH": "0"}, False),
        ({"CONTENT_LENGTH": "1"}, True),
        ({"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, True),
    ],
)
def test_a_body_is_seen(meta: dict[str, str], *, has_one: bool) -> None:
    assert has_body(meta) == has_one
    assert has_one == (meta.get("CONTENT_LENGTH") == "1" or "HTTP_TRANSFER_ENCODING" in meta)


def test_a_length_is_needed() -> None:
    assert content_length({"CONTENT_LENGTH": "7"}) == 7
    both = {"CONTENT_LENGTH": "7", "HTTP_TRANSFER_ENCODING": "chunked"}
    for meta in ({}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "7, 7"}, both):
        with pytest.raises(Rejected) as caught:
            content_length(meta)
        assert caught.value.status == 411


@pytest.mark.parametrize(
    ("text", "filename"),
    [
        ("", ""),
        ("is_confidential", ""),
        (f"filename {b64(b'a.txt')}", "a.txt"),
        (f"filename {b64('é/ß.txt'.encode())}", "ß.txt"),
        (f"filename {b64(WINDOWS_NAME)}", "x.txt"),
        (f"name {b64(b'b.txt')}, filename {b64(b'a.txt')}", "a.txt"),
        (f"x {b64(bytes(9))},name {b64(b'b.txt')}", "b.txt"),
        ("filename ", ""),
    ],
)
def test_the_name_in_metadata_is_its_last_segment(text: str, filename: str) -> None:
    assert Metadata.parse(text) == Metadata(text, filename)


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_metadata_breaks_it(text: str) -> None:
    with suppress(Rejected):
        filename = Metadata.parse(text).filename
        assert "/" not in filename
        assert filename not in (".", "..")


@given(st.text(max_size=60))
def test_no_checksum_breaks_it(text: str) -> None:
    with pytest.raises(Rejected):
        Checksum.parse(text)


def test_a_checksum_is_one_of_two() -> None:
    for algorithm in ("sha1", "sha256"):
        digest = hashlib.new(algorithm, b"x").digest()
        assert Checksum.parse(f"{algorithm} {b64(digest)}") == Checksum(algorithm, digest)


def test_digests_of_http_are_collected() -> None:
    one, two = (hashlib.sha256(data) for data in (b"1", b"2"))
    meta = {
        "HTTP_REPR_DIGEST": f"sha-512=:{b64(bytes(64))}:, sha-256=:{b64(one.digest())}:",
        "HTTP_CONTENT_DIGEST": f"sha-256=:{b64(two.digest())}:",
    }
    assert sha256_digests(meta) == {one.hexdigest(), two.hexdigest()}
    assert sha256_digests({}) == set()
