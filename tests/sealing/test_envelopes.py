"""The column of a sealed key is read as it was written, or refused."""

import pytest

from secure_dbstorage.exceptions import SealBroken
from secure_dbstorage.sealing.envelopes import Envelope

ENVELOPE = Envelope("1a2b3c4d5e6f", b"w" * 60, b"f" * 60)


def test_what_was_written_is_read() -> None:
    assert Envelope.parse(ENVELOPE.spelled()) == ENVELOPE
    assert len(ENVELOPE.spelled()) == 136


@pytest.mark.parametrize("column", [b"", b"\1", b"\1\5ab", b"\1\2\xff\xff\0\0", b"\1\2ab\0"])
def test_what_is_no_column_is_refused(column: bytes) -> None:
    with pytest.raises(SealBroken, match="damaged"):
        Envelope.parse(column)


def test_a_later_version_is_named() -> None:
    with pytest.raises(SealBroken, match="version 2, and not 1"):
        Envelope.parse(b"\2" + ENVELOPE.spelled()[1:])


def test_a_wrapped_key_that_does_not_fit_is_refused() -> None:
    assert len(Envelope("service", b"w" * 953, b"f" * 60).spelled()) == 1024
    with pytest.raises(ValueError, match=r"'service' wraps keys into 954 bytes. At most 953 fit"):
        Envelope("service", b"w" * 954, b"f" * 60).spelled()
