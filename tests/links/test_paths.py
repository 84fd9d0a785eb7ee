"""How tokens are spelled in URLs, and how they are told from names."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_dbstorage.links.grants import Grant
from secure_dbstorage.links.paths import (
    MARKED_TOKEN,
    UPLOAD_IN_QUERY,
    NameConverter,
    SignedPath,
    leading_token,
    read_content,
    spelled_content,
)
from tests.support.tokens import written

SIGNATURE = "XZmujxuFqGfrpOHGW8aqd_5nly42YKbHSMAzRPOnNCc"
FOLDER_TOKEN = "1noF-1.tivw00.2s0.hkt5bh5k5c." + SIGNATURE


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (f"~{FOLDER_TOKEN}/a/b.txt", (FOLDER_TOKEN, "a/b.txt")),
        (f"~{FOLDER_TOKEN}/a\nb", (FOLDER_TOKEN, "a\nb")),
        (f"~{FOLDER_TOKEN}/", (FOLDER_TOKEN, "")),
        (f"~{FOLDER_TOKEN}", (FOLDER_TOKEN, "")),
        (f"{FOLDER_TOKEN}/a", None),
        (f"a/~{FOLDER_TOKEN}/b", None),
        (f"/~{FOLDER_TOKEN}/a", None),
        (f"%7E{FOLDER_TOKEN}/a", None),
        (f"~~{FOLDER_TOKEN}/a", None),
        (f"~{FOLDER_TOKEN})/a", None),
        (f"~{FOLDER_TOKEN}\n/a", None),
        (f"~{FOLDER_TOKEN.upper()}/a", None),
        ("~/a", None),
        ("~ada/a.txt", None),
        (f"~{'x' * 80}/a.txt", None),
        ("~1st-quarter-report.pdf", None),
        ("", None),
    ],
)
def test_a_token_leads_the_name(name: str, found: tuple[str, str] | None) -> None:
    assert leading_token(name) == found


@given(
    st.builds(
        Grant,
        link_epoch=st.integers(0, 2**61),
        issued=st.integers(0, 2**41),
        lifetime=st.integers(1, 2**31 - 1),
        folder=st.none() | st.integers(0, 300).map(lambda depth: "x/" * depth + "x"),
        unseen=st.booleans(),
        attachment=st.booleans(),
        filename=st.none() | st.text(max_size=50),
        user=st.none() | st.just("u" * 22),
    ),
    st.sampled_from(["", *string.ascii_uppercase]),
)
@example(Grant(link_epoch=0, issued=0, lifetime=0), "")
def test_every_token_of_every_purpose_is_found(grant: Grant, letter: str) -> None:
    token = written("", grant, key=b"a secret key of 32 bytes or more", purpose=(letter, "x"))
    assert leading_token(f"~{token}/{grant.folder}/a") == (token, f"{grant.folder}/a")
    for name in (f"x/~{token}/a", f"%7e{token}/a", f"/~{token.upper()})"):
        assert MARKED_TOKEN.search(name)


@pytest.mark.parametrize("letter", ["", *string.ascii_uppercase])
def test_the_letter_in_a_query_alone_says_that_it_is_for_uploads(letter: str) -> None:
    token = written("", Grant(link_epoch=0, issued=0, lifetime=0), key=b"k" * 32)
    token = token[:3] + letter + token[3:]
    for query, is_one in (
        (f"token={token}", True),
        (f"x=1&token={token}", True),
        (f"x\n&token={token}&y&&", True),
        (f"xtoken={token}", False),
        (f"next=/?token={token}", False),
        (f"%74oken={token}", False),
        ("", False),
    ):
        found = UPLOAD_IN_QUERY.match(query) is not None
        assert found == (is_one and letter in ("U", "P")), query


@pytest.mark.parametrize("name", ["a.txt", "a\nb", "~ada/a.txt"])
def test_a_name_in_a_route_is_itself(name: str) -> None:
    assert NameConverter().to_python(name) is name


@pytest.mark.parametrize("name", ["~{}/a", "x/~{}/a", "%7E{}", "//~{})"])
def test_a_name_in_a_route_that_holds_a_token_is_not_shown(name: str) -> None:
    value = name.format(FOLDER_TOKEN)
    converted = NameConverter().to_python(value)
    assert converted == value
    assert repr(converted) == "<signed>"


def test_a_signed_path_is_a_text_that_is_not_shown() -> None:
    path = SignedPath("/files/a?token=SECRET")
    assert path == "/files/a?token=SECRET"
    assert "SECRET" not in repr([path])


@pytest.mark.parametrize("schema", ["", "acme", "a.b"])
def test_a_content_is_spelled_with_its_storage_and_its_table(schema: str) -> None:
    spelled = spelled_content("pictures", 4711, ("other", schema))
    assert spelled == f"pictures/4711.other.{schema}"
    assert read_content(spelled) == ("pictures", 4711)
