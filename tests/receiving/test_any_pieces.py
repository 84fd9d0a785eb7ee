"""Any sequence of pieces, breaks and offsets gives the bytes, or is refused without a trace."""

import base64
import hashlib

import pytest
from django.core.files.storage import storages
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from secure_dbstorage.models import StoredFile
from tests.receiving.conftest import Receiver
from tests.support.uploads import CONTENT, PIECE, Uploader, Wire

SIZE = len(CONTENT)

#: Around the length of a row, and any.
LENGTHS = st.sampled_from([0, 1, 4095, 4096, 4097, 8192]) | st.integers(0, SIZE)


class AnyPieces(RuleBasedStateMachine):
    """A client that does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.uploader = Uploader()
        self.storage = storages["default"]
        StoredFile.rows.all().delete()
        url = self.storage.upload_url("in/a.bin", max_size=SIZE)
        self.part = self.uploader.begun(url, SIZE)
        self.offset = 0

    @rule(length=LENGTHS)
    def sends_the_next_piece(self, length: int) -> None:
        """Whole, unless the upload is a file already or has less room."""
        stop = self.offset + length
        answer = self.uploader.patch(self.part, self.offset, CONTENT[self.offset : stop])
        if self.offset == SIZE:
            assert answer.status_code == 410
        else:
            assert answer.status_code == 204
            self.offset = min(stop, SIZE)
            assert answer["Upload-Offset"] == str(self.offset)

    @rule(length=LENGTHS, breaks_after=LENGTHS)
    def sends_a_piece_that_breaks_off(self, length: int, breaks_after: int) -> None:
        """What came before the break is kept."""
        rest = CONTENT[self.offset : self.offset + length]
        came = min(breaks_after, len(rest))
        wire = {"CONTENT_LENGTH": str(len(rest)), "wsgi.input": Wire(rest, breaks_after=came)}
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(self.offset)}
        answer = self.uploader.ask("PATCH", self.part, b"", headers, CONTENT_TYPE=PIECE, **wire)
        if self.offset != SIZE:
            assert answer.status_code == 204
            self.offset += came

    @rule(length=LENGTHS, is_damaged=st.booleans())
    def sends_a_piece_with_its_checksum(self, length: int, is_damaged: bool) -> None:  # noqa: FBT001
        """A damaged one leaves nothing behind."""
        piece = CONTENT[self.offset : self.offset + length]
        digest = base64.b64encode(hashlib.sha256(piece + b"x" * is_damaged).digest()).decode()
        answer = self.uploader.patch(
            self.part, self.offset, piece, Upload_Checksum=f"sha256 {digest}"
        )
        if self.offset == SIZE:
            assert answer.status_code == 410
        elif is_damaged:
            assert answer.status_code == 460
        else:
            assert answer.status_code == 204
            self.offset += len(piece)

    @rule(offset=st.integers(0, 2 * SIZE), length=LENGTHS)
    def sends_a_piece_for_another_place(self, offset: int, length: int) -> None:
        """It is refused."""
        if offset == self.offset:
            return
        answer = self.uploader.patch(self.part, offset, b"x" * length)
        assert answer.status_code == (410 if self.offset == SIZE else 409)

    @rule(length=st.integers(1, SIZE))
    def sends_more_than_it_said(self, length: int) -> None:
        """It is refused, too."""
        rest = SIZE - self.offset
        answer = self.uploader.patch(self.part, self.offset, b"x" * (rest + length))
        assert answer.status_code == (410 if self.offset == SIZE else 413)

    @invariant()
    def is_where_it_should_be(self) -> None:
        """What is there was sent, and the file is whole or not there."""
        assert self.uploader.offset(self.part) == self.offset
        rows = StoredFile.rows.order_by("position")
        assert b"".join(bytes(row.data) for row in rows) == CONTENT[: self.offset]
        assert self.storage.exists("in/a.bin") == (self.offset == SIZE)


@pytest.mark.django_db
def test_any_sequence_of_pieces(receiver: Receiver) -> None:
    # The budgets are not at stake here.
    receiver(rate_limits={"upload": None, "begun": None})
    run_state_machine_as_test(
        AnyPieces,
        settings=settings(
            max_examples=25,
            stateful_step_count=12,
            suppress_health_check=list(HealthCheck),
        ),
    )
