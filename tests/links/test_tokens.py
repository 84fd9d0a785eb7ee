"""Tokens say what a link allows, and nobody else can make or change one."""

import base64
import hashlib
import hmac
import string
from dataclasses import replace
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from django.views.debug import SafeExceptionReporterFilter
from hypothesis import assume, example, given
from hypothesis import strategies as st

from secure_dbstorage.exceptions import BadToken, ExpiredToken
from secure_dbstorage.links import tokens
from secure_dbstorage.links.claims import CLOCK_SKEW
from secure_dbstorage.links.grants import Grant, PlaceKind, UploadGrant, UploadPlace
from secure_dbstorage.links.keys import derive
from secure_dbstorage.links.signer import LinkSigner
from secure_dbstorage.links.terms import LinkTerms, UploadTerms
from secure_dbstorage.links.tokens import Audience
from tests.support.tokens import written, written_upload

KEY = b"a secret key of 32 bytes or more"
OTHER_KEY = b"another secret key of >= 32 bytes"

#: 2026-07-28 12:00:00 UTC.
NOW = 1785240000
EPOCH = 1785225600123456
HOUR, WEEK = 3600, 604800

NAME = "2026/july.pdf"
GRANT = Grant(link_epoch=EPOCH, issued=NOW, lifetime=HOUR)
AUDIENCE = Audience("default", "acme", "")
OURS: dict[str, Any] = {"key": KEY, "namespace": "invoices", "audience": AUDIENCE}


def signer_of(*keys: bytes, namespace: str = "invoices") -> LinkSigner:
    """Return the signer of a storage."""
    return LinkSigner(keys or [KEY], namespace=namespace)


SIGNER = signer_of()
TOKEN = written(NAME, GRANT, **OURS)

#: One with every part that a token can have.
FULL_GRANT = replace(GRANT, attachment=True, filename="a.pdf")
FULL_TOKEN = written(NAME, FULL_GRANT, **OURS)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
#: Texts that try to look like the lengths in a message.
_TRICKY = st.text("01:9a", max_size=12)
#: Alias, schema, word, namespace, name and claims.
PARTS = st.tuples(*[NAMES | _TRICKY] * 6)
GRANTS = st.builds(
    Grant,
    link_epoch=st.integers(0, 2**61),
    issued=st.integers(0, 2**41),
    lifetime=st.integers(1, 2**31 - 1),
    attachment=st.booleans(),
    filename=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=255),
    user=st.none() | st.text("aZ09-_", min_size=22, max_size=22),
    network=st.none()
    | st.tuples(st.integers(1, 128), st.text("aZ09-_", min_size=22, max_size=22)),
    unseen=st.booleans(),
)
TERMS_OF_LINKS = st.builds(
    LinkTerms,
    expires_at=st.none(),
    lifetime=st.integers(1, 2**31 - 1),
    window=st.just(0),
    attachment=st.booleans(),
    filename=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=255),
    user=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    network=st.none()
    | st.sampled_from(["203.0.113.9/32", "10.0.0.0/8", "2001:db8::/32"]).map(ip_network),
    once=st.booleans(),
)


#: What a link allows without an argument.
TERMS = LinkTerms(
    expires_at=None,
    lifetime=HOUR,
    window=0,
    attachment=False,
    filename=None,
    user=None,
    network=None,
    once=False,
)


def signed_message(*parts: str) -> bytes:
    """Return what is signed for an audience, a namespace, a name and claims."""
    *owner, name, claims = parts
    *audience, namespace = owner
    owner_bytes = tokens.owner_of(Audience(*audience), namespace)
    return tokens.message_of(owner_bytes, name.encode(), claims.encode())


def read(
    token: str,
    name: str = NAME,
    *,
    signer: LinkSigner = SIGNER,
    audience: Audience = AUDIENCE,
    in_path: bool = False,
    now: float = NOW,
    max_lifetime: int = WEEK,
) -> Grant:
    return signer.unsign(
        name, token, audience, in_path=in_path, max_lifetime=max_lifetime, now=now
    )


def without_id(grant: Grant) -> Grant:
    return replace(grant, link_id="", use_key=0)


def assert_refused(token: str, name: str = NAME, *, signer: LinkSigner = SIGNER) -> None:
    with pytest.raises(BadToken) as caught:
        read(token, name, signer=signer)
    assert not isinstance(caught.value, ExpiredToken)


class TestExample:
    """The worked example in the module's docstring."""

    def test_it_is_a_real_token(self) -> None:
        assert tokens.__doc__ is not None
        token, picture = tokens.__doc__.split("::\n\n    ")[1].split("\n", 1)
        assert token == FULL_TOKEN
        assert without_id(read(token)) == FULL_GRANT
        for words in (NAME, "invoices", "a.pdf", KEY.decode(), "default", "acme"):
            assert f"``{words}``" in picture

    def test_each_line_points_at_the_part_that_it_explains(self) -> None:
        assert tokens.__doc__ is not None
        token, *lines = tokens.__doc__.split("::\n\n    ")[1].split("\n\n")[0].split("\n    ")
        parts = {line.split("└ ")[1].split(":")[0]: token[line.index("└") :] for line in lines}
        assert {words: part.split(".")[0] for words, part in parts.items()} == {
            "signature": FULL_TOKEN.split(".")[5],
            "rarer claims": FULL_TOKEN.split(".")[4],
            "the file's link epoch in microseconds": FULL_TOKEN.split(".")[3],
            "lifetime in seconds": FULL_TOKEN.split(".")[2],
            "issue time in seconds since 1970": FULL_TOKEN.split(".")[1],
            "purpose, flags and number": "a",
            "key id, two characters": FULL_TOKEN[1:4],
            "version": FULL_TOKEN[:4],
        }

    def test_it_can_be_made_with_nothing_but_hmac(self) -> None:
        claims, _, signature = FULL_TOKEN.rpartition(".")
        parts = [part.encode() for part in ("default", "acme", "", "invoices", NAME, claims)]
        message = b"".join(b"%d:%b" % (len(part), part) for part in parts)
        derived = hmac.digest(KEY, b"secure_dbstorage.v1.file", hashlib.sha256)
        digest = hmac.digest(derived, message, hashlib.sha256)
        assert signature == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        _, issued, lifetime, epoch, rare = claims.split(".")
        assert [int(number, 36) for number in (issued, lifetime, epoch)] == [NOW, HOUR, EPOCH]
        assert base64.urlsafe_b64decode(rare + "==") == b'{"f":"a.pdf"}'


class TestRoundTrip:
    """A token is read as it was signed."""

    @given(NAMES, NAMES, GRANTS)
    @example("", "", replace(GRANT, filename=""))
    @example("ns", "é/\0", replace(GRANT, filename='"\\\U0010ffff'))
    @example("ns", "a", replace(GRANT, filename="\U0010ffff" * 255))
    @example("ns", "a", replace(GRANT, filename='"' * 255))
    def test_a_grant_comes_back_as_it_was(self, namespace: str, name: str, grant: Grant) -> None:
        token = written(name, grant, **(OURS | {"namespace": namespace}))
        signer = signer_of(namespace=namespace)
        read_back = read(token, name, signer=signer, now=grant.issued, max_lifetime=2**31)
        assert without_id(read_back) == grant

    @given(
        NAMES, NAMES, TERMS_OF_LINKS, st.integers(0, 2**41), st.integers(0, 2**61), st.booleans()
    )
    @example("ns", "é/\0", replace(TERMS, filename='"\\\U0010ffff'), NOW, EPOCH, False)
    @example("ns", "a", replace(TERMS, filename="\U0010ffff" * 255), NOW, EPOCH, True)
    def test_terms_are_signed_as_the_documentation_says(
        self,
        namespace: str,
        name: str,
        terms: LinkTerms,
        issued: int,
        epoch: int,
        unseen: bool,  # noqa: FBT001 -- drawn
    ) -> None:
        signer = signer_of(namespace=namespace)
        token = signer.batch(terms, AUDIENCE, unseen=unseen).token(
            name.encode(), issued, terms.lifetime, epoch
        )
        grant = read(token, name, signer=signer, now=issued, max_lifetime=2**31)
        assert token == written(name, grant, **(OURS | {"namespace": namespace}))
        assert grant.unseen is unseen
        assert (grant.link_epoch, grant.issued, grant.lifetime) == (epoch, issued, terms.lifetime)
        assert (grant.attachment, grant.filename) == (terms.attachment, terms.filename)
        assert grant.is_for_once is terms.once
        assert (grant.user is None) is (terms.user is None)
        assert terms.user is None or signer.is_for_user(grant, terms.user)
        assert (grant.network is None) is (terms.network is None)
        assert terms.network is None or signer.is_for_address(grant, terms.network[-1])

    def test_the_same_terms_make_the_same_token(self) -> None:
        tokens_made = {
            signer_of().batch(TERMS, AUDIENCE).token(NAME.encode(), NOW, HOUR, EPOCH)
            for _ in range(2)
        }
        assert tokens_made == {TOKEN}

    def test_a_link_has_a_short_name(self) -> None:
        link_id = read(TOKEN).link_id
        assert TOKEN.rpartition(".")[2].startswith(link_id)
        assert len(link_id) == 8
        assert read(written("other", GRANT, **OURS), "other").link_id != link_id

    @given(NAMES, st.integers(0, 2**41), st.integers(1, 2**31 - 1), st.integers(0, 36**10 - 1))
    def test_a_plain_links_token_is_short_and_ends_in_a_letter_or_digit(
        self, name: str, issued: int, lifetime: int, link_epoch: int
    ) -> None:
        token = SIGNER.batch(TERMS, AUDIENCE).token(name.encode(), issued, lifetime, link_epoch)
        assert len(token) <= 76
        assert token[-1] in string.ascii_letters + string.digits

    def test_a_token_needs_no_quoting_in_a_url(self) -> None:
        assert set(FULL_TOKEN) <= set(string.ascii_letters + string.digits + "._-")


class TestForgery:
    """Tokens that aren't ours, or not for this file, are refused."""

    @pytest.mark.parametrize("token", [TOKEN, FULL_TOKEN], ids=["plain", "full"])
    def test_any_change_of_one_character_is_refused(self, token: str) -> None:
        others = string.ascii_letters + string.digits + ".-_=+/%é\0\n"
        for place, character in enumerate(token):
            for other in others.replace(character, ""):
                assert_refused(token[:place] + other + token[place + 1 :])
            assert_refused(token[:place] + token[place + 1 :])

    @given(st.integers(0, len(FULL_TOKEN)), st.characters())
    def test_any_character_put_in_is_refused(self, place: int, character: str) -> None:
        assert_refused(FULL_TOKEN[:place] + character + FULL_TOKEN[place:])

    def test_only_one_spelling_of_a_signature_is_right(self) -> None:
        digest = TOKEN.rpartition(".")[2]
        alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
        last = alphabet.index(digest[-1])
        others = [digest[:-1] + alphabet[last + more] for more in (1, 2, 3)]
        meant = base64.urlsafe_b64decode(f"{digest}=")
        assert all(base64.urlsafe_b64decode(f"{other}=") == meant for other in others)
        for other in (*others, f"{digest}="):
            assert_refused(f"{TOKEN.rpartition('.')[0]}.{other}")

    @pytest.mark.parametrize(
        "token",
        [
            "",
            " ",
            ".",
            "token",
            f" {TOKEN}",
            f"{TOKEN} ",
            f"{TOKEN}\n",
            f"{TOKEN}.",
            f"{TOKEN}.{TOKEN}",
            f"{TOKEN}&token={TOKEN}",
            TOKEN.upper(),
            TOKEN.replace(".", ".0", 1),
            TOKEN.replace(".", ".+", 1),
            TOKEN.replace(".", ".-", 1),
            TOKEN.replace(".", "..", 1),
            TOKEN.replace("1", "\uff11", 1),
            TOKEN.replace("1", "\u0661", 1),
            TOKEN.replace("1", "2", 1),
            TOKEN.rpartition(".")[0],
            TOKEN.rpartition(".")[0] + ".",
            f"{TOKEN.rpartition('.')[0]}.{'é' * 43}",
            f"{TOKEN.rpartition('.')[0]}.{'A' * 43}",
            "1aa.0.0.0." + "A" * 43,
            "A" * 2**20,
            "1aa." + "0" * 2**20,
            TOKEN * 2**14,
        ],
        ids=lambda token: f"{token[:20]}-{len(token)}",
    )
    def test_a_text_that_is_not_our_token_is_refused(self, token: str) -> None:
        assert_refused(token)

    @pytest.mark.parametrize(
        "name",
        ["", "2026/july.pd", "2026/july.pdf ", "2026/July.pdf", "2026//july.pdf", "july.pdf"],
    )
    def test_a_token_is_for_one_name(self, name: str) -> None:
        assert_refused(TOKEN, name)

    @pytest.mark.parametrize("namespace", ["", "invoice", "Invoices", "invoices/2026"])
    def test_a_token_is_for_one_namespace(self, namespace: str) -> None:
        assert_refused(TOKEN, signer=signer_of(namespace=namespace))

    @given(PARTS, PARTS)
    @example(("default", "", "", "a", "bc", "d"), ("default", "", "", "ab", "c", "d"))
    @example(("", "acme", "", "", "a", "x"), ("acme", "", "", "", "a", "x"))
    @example(("", "", "acme", "", "a", "x"), ("", "acme", "", "", "a", "x"))
    @example(("", "", "acme", "", "a", "x"), ("", "", "", "acme", "a", "x"))
    @example(("", "", "", "", "1:a", ""), ("", "", "", "1:a", "", ""))
    @example(("1:", "", "", "", "a", "x"), ("", "1:", "", "", "a", "x"))
    @example(("é", "", "", "", "a", "x"), ("e\u0301", "", "", "", "a", "x"))
    def test_no_two_of_audience_namespace_name_and_claims_share_a_signed_message(
        self, one: tuple[str, ...], other: tuple[str, ...]
    ) -> None:
        assume(one != other)
        assert signed_message(*one) != signed_message(*other)

    @given(st.lists(NAMES, min_size=6, max_size=6).flatmap(st.permutations))
    def test_parts_in_another_order_are_another_message(self, parts: list[str]) -> None:
        for place in range(5):
            shifted = [*parts]
            # What one part loses at its end, the next one gains at its beginning.
            shifted[place], shifted[place + 1] = "", parts[place] + parts[place + 1]
            assert shifted == parts or signed_message(*shifted) != signed_message(*parts)
        assert parts[::-1] == parts or signed_message(*parts[::-1]) != signed_message(*parts)

    @given(PARTS)
    def test_a_signed_message_can_be_read_in_one_way(self, parts: tuple[str, ...]) -> None:
        rest = signed_message(*parts)
        read_back = []
        while rest:
            length, _, rest = rest.partition(b":")
            read_back.append(rest[: int(length)].decode())
            rest = rest[int(length) :]
        assert tuple(read_back) == parts

    @pytest.mark.parametrize(
        "audience",
        [
            ("", "", ""),
            ("default", "", ""),
            ("default", "Acme", ""),
            ("default", "acme", "acme"),
            ("", "default", "acme"),
            ("", "", "acme"),
            ("acme", "default", ""),
            ("defaultacme", "", ""),
            ("default\0acme", "", ""),
        ],
    )
    @pytest.mark.parametrize("folder", [None, "2026"])
    def test_a_token_is_for_one_audience(
        self, audience: tuple[str, str, str], folder: str | None
    ) -> None:
        for made_for, asked_of in ((AUDIENCE, Audience(*audience)), (audience, AUDIENCE)):
            token = written(NAME, replace(GRANT, folder=folder), **(OURS | {"audience": made_for}))
            in_path = folder is not None
            with pytest.raises(BadToken) as caught:
                read(token, audience=asked_of, in_path=in_path, now=NOW + 2 * HOUR)
            assert caught.type is BadToken
            assert read(token, audience=Audience(*made_for), in_path=in_path).folder == folder

    @pytest.mark.parametrize("letter", ["", *string.ascii_uppercase])
    @pytest.mark.parametrize("key_name", ["file", "folder", "upload", "part", "zip", "content"])
    def test_a_letter_selects_the_key_and_an_unknown_one_opens_nothing(
        self, letter: str, key_name: str
    ) -> None:
        opened = set()
        for folder in (None, "2026"):
            grant = replace(GRANT, folder=folder)
            token = written(NAME, grant, purpose=(letter, key_name), **OURS)
            for in_path in (False, True):
                for now in (NOW, NOW + 2 * HOUR):
                    try:
                        opened.add(read(token, in_path=in_path, now=now).folder)
                    except ExpiredToken as error:
                        opened.add(error.grant.folder)
                    except BadToken:
                        continue
        allowed = {("", "file"): {None}, ("F", "folder"): {"2026"}, ("Z", "zip"): {NAME}}
        assert opened == allowed.get((letter, key_name), set())

    @pytest.mark.parametrize("letter", string.ascii_letters)
    def test_a_letter_that_is_put_in_or_taken_out_opens_nothing(self, letter: str) -> None:
        folder_token = written("", replace(GRANT, folder="2026"), **OURS)
        for token in (TOKEN, FULL_TOKEN, folder_token):
            for changed in (token[:3] + letter + token[3:], token[:3] + letter + token[4:]):
                if changed != token:
                    for in_path in (False, True):
                        with pytest.raises(BadToken):
                            read(changed, in_path=in_path)

    def test_a_token_opens_nothing_where_no_link_has_it(self) -> None:
        folder_token = written("", replace(GRANT, folder="2026"), **OURS)
        for token, in_path in ((TOKEN, True), (folder_token, False)):
            assert read(token, in_path=not in_path)
            with pytest.raises(BadToken) as caught:
                read(token, in_path=in_path, now=NOW + 2 * HOUR)
            assert caught.type is BadToken

    def test_a_signature_made_for_another_purpose_is_invalid(self) -> None:
        claims = TOKEN.rpartition(".")[0]
        message = signed_message(*AUDIENCE, "invoices", NAME, claims)
        for salt in (b"secure_dbstorage.v1.key_id", b"secure_dbstorage.v2.file", b""):
            derived = hmac.digest(KEY, salt, hashlib.sha256)
            for key in (derived, KEY):
                digest = hmac.digest(key, message, hashlib.sha256)
                assert_refused(f"{claims}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}")

    def test_each_wrong_signature_is_compared_once_whole_and_in_constant_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compared: list[tuple[str, str]] = []
        compare_digest = hmac.compare_digest

        def compare(one: str, other: str) -> bool:
            compared.append((one, other))
            return compare_digest(one, other)

        monkeypatch.setattr(hmac, "compare_digest", compare)
        claims, _, signature = TOKEN.rpartition(".")
        wrong = [f"B{signature[1:]}", f"{signature[:-1]}B", "B" * 43]
        for each in wrong:
            assert_refused(f"{claims}.{each}")
        assert compared == [(signature, each) for each in wrong]


class TestFolders:
    """A link for a folder opens the files below it, and nothing else."""

    @staticmethod
    def token(folder: str, *, issued: int = NOW) -> str:
        tokens = SIGNER.folder_batch(TERMS, AUDIENCE, depth=folder.count("/") + 1)
        return tokens.token(folder.encode(), issued, HOUR, EPOCH)

    @staticmethod
    def read(token: str, name: str, *, signer: LinkSigner = SIGNER, now: int = NOW) -> Grant:
        return read(token, name, signer=signer, in_path=True, now=now)

    def assert_refused(self, token: str, name: str, **arguments: Any) -> None:
        with pytest.raises(BadToken) as caught:
            self.read(token, name, **arguments)
        assert not isinstance(caught.value, ExpiredToken)

    @pytest.mark.parametrize("folder", ["a", "a/b", "é/日本", "x/" * 200 + "x"])
    def test_it_opens_every_file_below(self, folder: str) -> None:
        token = self.token(folder)
        for name in ("f", "g/h/i.txt", "é", "~"):
            grant = self.read(token, f"{folder}/{name}")
            assert (grant.folder, grant.issued, grant.lifetime) == (folder, NOW, HOUR)

    @pytest.mark.parametrize(
        "name", ["a/bc/f", "a/b", "a", "f", "a/f", "b/a/f", "a/B/f", "/a/b/f"]
    )
    def test_it_opens_nothing_outside_its_folder(self, name: str) -> None:
        self.assert_refused(self.token("a/b"), name)

    @given(NAMES, NAMES)
    def test_it_opens_a_name_only_if_that_is_below(self, folder: str, name: str) -> None:
        try:
            self.read(self.token(folder), name)
        except BadToken:
            assert not name.startswith(f"{folder}/")
        else:
            assert name.startswith(f"{folder}/")

    def test_links_for_files_and_for_folders_are_not_interchangeable(self) -> None:
        for name in ("a", "a/f"):
            self.assert_refused(written(name, GRANT, **OURS), "a/f")
        assert_refused(self.token("a"), "a")
        assert_refused(self.token("a"), "a/f")

    def test_a_depth_that_was_not_signed_changes_the_folder_and_opens_nothing(self) -> None:
        token = self.token("a/b")
        for depth in ("", "-0", "-1", "-3", "-02", "-zz", f"-{'z' * 13}", f"-{'0' * 12}2"):
            changed = token.replace("-2.", f"{depth}.", 1)
            assert changed != token
            self.assert_refused(changed, "a/b/c/f")

    def test_any_change_of_one_character_is_refused(self) -> None:
        token = self.token("a")
        for position, character in enumerate(token):
            for other in "0aZ-_.":
                if other != character:
                    changed = token[:position] + other + token[position + 1 :]
                    self.assert_refused(changed, "a/f")

    def test_it_opens_nothing_in_another_namespace_or_with_another_key(self) -> None:
        for signer in (
            signer_of(namespace="other"),
            signer_of(OTHER_KEY),
        ):
            self.assert_refused(self.token("a"), "a/f", signer=signer)

    def test_it_ends(self) -> None:
        assert self.read(self.token("a"), "a/f", now=NOW + HOUR - 1).expires == NOW + HOUR
        with pytest.raises(ExpiredToken):
            self.read(self.token("a"), "a/f", now=NOW + HOUR)
        self.assert_refused(self.token("a", issued=NOW + CLOCK_SKEW + 1), "a/f")

    def test_the_documented_token_is_right(self) -> None:
        for folder in ("a", "é/b/c", "x/" * 40 + "x"):
            token = self.token(folder)
            grant = self.read(token, f"{folder}/f")
            assert token == written("", grant, **OURS)


class TestZips:
    """A link to a zip archive is for one directory, and for nothing else."""

    @staticmethod
    def token(folder: str) -> str:
        return SIGNER.zip_batch(TERMS, AUDIENCE).token(folder.encode(), NOW, HOUR, EPOCH)

    @pytest.mark.parametrize("folder", ["a", "é/b/c", "x/" * 40 + "x"])
    def test_the_documented_token_is_right(self, folder: str) -> None:
        grant = read(self.token(folder), folder)
        assert (grant.folder, grant.is_zip, grant.lifetime) == (folder, True, HOUR)
        assert self.token(folder) == written("", grant, **OURS)

    def test_it_opens_what_a_folders_link_opens(self) -> None:
        grant = read(self.token("a"), "a")
        assert [grant.opens(EPOCH + more) for more in (-1, 0, 1)] == [True, True, False]

    @pytest.mark.parametrize("name", ["a", "a/b/c", "a/bc", "b", "A/b", "a/b/"])
    def test_it_is_for_no_other_directory(self, name: str) -> None:
        assert_refused(self.token("a/b"), name)

    def test_it_stands_for_no_other_link_and_none_for_it(self) -> None:
        folder_token = written("", replace(GRANT, folder="a"), **OURS)
        for token, name in ((self.token("a"), "a"), (self.token("a"), "a/f")):
            with pytest.raises(BadToken):
                read(token, name, in_path=True)
        assert not read(written("a", GRANT, **OURS), "a").is_zip
        assert_refused(folder_token, "a")

    def test_any_change_of_one_character_is_refused(self) -> None:
        token = self.token("a")
        for position, character in enumerate(token):
            for other in "0aZ-_.":
                if other != character:
                    assert_refused(token[:position] + other + token[position + 1 :], "a")


class TestKeys:
    """The first key signs, each one verifies."""

    def test_an_older_key_still_opens(self) -> None:
        rotated = signer_of(OTHER_KEY, KEY)
        assert without_id(read(TOKEN, signer=rotated)) == GRANT

    def test_the_newest_key_signs(self) -> None:
        rotated = signer_of(OTHER_KEY, KEY)
        token = rotated.batch(TERMS, AUDIENCE).token(NAME.encode(), NOW, HOUR, EPOCH)
        assert token == written(NAME, GRANT, **(OURS | {"key": OTHER_KEY}))
        assert_refused(token)

    def test_a_key_that_is_gone_opens_nothing(self) -> None:
        assert_refused(TOKEN, signer=signer_of(OTHER_KEY))

    def test_two_keys_with_one_id_are_both_asked(self) -> None:
        seen: dict[str, bytes] = {}
        for number in range(10_000):
            key = b"%032d" % number
            key_id = derive(key).id
            if key_id in seen:
                break
            seen[key_id] = key
        pair = [key, seen[key_id]]
        assert pair[0] != pair[1]
        for made_with in pair:
            token = written("a", GRANT, **(OURS | {"key": made_with}))
            assert without_id(read(token, "a", signer=signer_of(*pair))) == GRANT

    def test_the_id_of_a_key_is_two_characters_that_do_not_tell_it(self) -> None:
        one, other = (derive(key).id for key in (KEY, OTHER_KEY))
        assert one != other
        assert set(one + other) <= set(string.digits + string.ascii_lowercase)

    def test_no_key_is_shown(self) -> None:
        signer = signer_of(namespace="")
        assert KEY.decode() not in repr(vars(signer))


class TestTimes:
    """A link works from its issue to its end."""

    @pytest.mark.parametrize("later", [0, 1, HOUR - 1, HOUR - 0.001])
    def test_it_works_until_its_end(self, later: float) -> None:
        assert read(TOKEN, now=NOW + later).expires == NOW + HOUR

    @pytest.mark.parametrize("later", [HOUR, HOUR + 0.001, HOUR + 1, 10 * WEEK])
    def test_it_has_expired_at_its_end(self, later: float) -> None:
        with pytest.raises(ExpiredToken) as caught:
            read(TOKEN, now=NOW + later)
        assert caught.value.grant == read(TOKEN)

    def test_only_an_authentic_token_is_reported_as_expired(self) -> None:
        late = NOW + 2 * HOUR
        with pytest.raises(BadToken) as caught:
            read(f"{TOKEN[:-1]}{'A' if TOKEN[-1] != 'A' else 'E'}", now=late)
        assert caught.type is BadToken
        with pytest.raises(BadToken) as caught:
            read(TOKEN, "other", now=late)
        assert caught.type is BadToken

    def test_a_clock_may_be_behind_by_a_minute(self) -> None:
        assert read(TOKEN, now=NOW - CLOCK_SKEW).issued == NOW
        with pytest.raises(BadToken) as caught:
            read(TOKEN, now=NOW - CLOCK_SKEW - 1)
        assert caught.type is BadToken

    def test_a_lower_cap_shortens_existing_links(self) -> None:
        assert read(TOKEN, max_lifetime=60, now=NOW + 59).lifetime == 60
        with pytest.raises(ExpiredToken):
            read(TOKEN, max_lifetime=60, now=NOW + 60)

    def test_a_higher_cap_lengthens_none(self) -> None:
        assert read(TOKEN, max_lifetime=10 * WEEK).lifetime == HOUR


class TestRepeats:
    """A token that was read is kept, and read again only in another place."""

    def test_it_is_read_once(self) -> None:
        signer = signer_of()
        assert read(TOKEN, signer=signer) is read(TOKEN, signer=signer)

    def test_it_still_expires(self) -> None:
        signer = signer_of()
        read(TOKEN, signer=signer)
        with pytest.raises(ExpiredToken):
            read(TOKEN, signer=signer, now=NOW + HOUR)

    @pytest.mark.parametrize(
        "elsewhere",
        [{"name": "2026/june.pdf"}, {"audience": Audience("default", "other")}, {"in_path": True}],
    )
    def test_it_still_opens_nothing_else(self, elsewhere: dict[str, Any]) -> None:
        signer = signer_of()
        read(TOKEN, signer=signer)
        with pytest.raises(BadToken):
            read(TOKEN, signer=signer, **elsewhere)


def test_error_reports_do_not_show_tokens() -> None:
    with pytest.raises(BadToken) as caught:
        read("a-secret-token")
    frames = [entry.frame.raw for entry in caught.traceback]
    ours = [
        frame
        for frame in frames
        if "token" in frame.f_locals and frame.f_code is not read.__code__
    ]
    assert {frame.f_code.co_name for frame in ours} == {"unsign", "_checked", "matched"}
    for frame in ours:
        shown = SafeExceptionReporterFilter().get_traceback_frame_variables(None, frame)
        assert "token" in dict(shown)
        assert "a-secret-token" not in repr(shown)


#: With everything that a link that begins uploads can say, and one that continues an upload.
UPLOAD = UploadGrant(
    link_epoch=0,
    issued=NOW,
    lifetime=HOUR,
    place=UploadPlace(PlaceKind.FOLDER, "in"),
    max_size=10**9,
    types=("image/*", "application/pdf"),
    sha256="ab" * 32,
    user="u" * 22,
    network=(24, "n" * 22),
)
PART = replace(
    UPLOAD,
    issued=0,
    lifetime=0,
    max_size=0,
    types=(),
    place=UploadPlace(PlaceKind.FILE, "in/a.txt"),
    overwrite=True,
    key=2**62 - 1,
    metadata="filename YS50eHQ=,x",
)


#: Of an upload below a directory, which gets its name later.
BELOW = replace(PART, types=UPLOAD.types, place=UPLOAD.place, overwrite=False)


def read_upload(path: str, token: str, **others: Any) -> UploadGrant:
    """Return what a token grants for uploads."""
    given = {"audience": AUDIENCE, "max_lifetime": WEEK, "now": NOW, **others}
    return SIGNER.unsign_upload(path, token, given.pop("audience"), **given)


class TestUploads:
    """Links that begin uploads, and those that continue one."""

    @pytest.mark.parametrize("grant", [UPLOAD, PART, BELOW], ids=["begin", "part", "below"])
    def test_what_is_documented_is_read(self, grant: UploadGrant) -> None:
        path = grant.place.spelling
        token = written_upload(path, grant, **OURS)
        assert read_upload(path, token) == replace(grant, link_id=token.rpartition(".")[2][:8])

    def test_what_is_made_is_what_is_documented(self) -> None:
        terms = UploadTerms(
            expires_at=None,
            lifetime=HOUR,
            window=0,
            user="7",
            network=ip_network("10.0.0.0/8"),
            max_size=UPLOAD.max_size,
            types=UPLOAD.types,
            overwrite=False,
            sha256=UPLOAD.sha256,
        )
        batch = SIGNER.upload_batch(terms, AUDIENCE, kind=PlaceKind.FOLDER)
        made = batch.token(b"in/", NOW, HOUR, 0)
        grant = read_upload("in/", made)
        assert SIGNER.is_for_user(grant, "7")
        bound = replace(UPLOAD, user=grant.user, network=grant.network)
        assert made == written_upload("in/", bound, **OURS)
        for part in (PART, BELOW):
            written = written_upload(part.place.spelling, part, **OURS)
            assert SIGNER.part_token(part, AUDIENCE) == written
        with_types = replace(PART, types=UPLOAD.types)  # Its name is final.
        assert SIGNER.part_token(with_types, AUDIENCE) == SIGNER.part_token(PART, AUDIENCE)

    def test_a_place_that_another_release_knows_is_refused(self) -> None:
        later: Any = SimpleNamespace(kind=SimpleNamespace(value="z"))
        token = written_upload("in/", replace(UPLOAD, place=later), **OURS)
        with pytest.raises(BadToken):
            read_upload("in/", token)

    def test_one_that_begins_ends_in_its_time(self) -> None:
        token = written_upload("in/", UPLOAD, **OURS)
        with pytest.raises(ExpiredToken):
            read_upload("in/", token, now=NOW + HOUR)
        with pytest.raises(ExpiredToken):
            read_upload("in/", token, now=NOW + 60, max_lifetime=60)
        with pytest.raises(BadToken):
            read_upload("in/", token, now=NOW - CLOCK_SKEW - 1)

    def test_one_that_continues_has_no_end(self) -> None:
        token = written_upload("in/a.txt", PART, **OURS)
        assert read_upload("in/a.txt", token, now=NOW + 10**9, max_lifetime=0).key == PART.key

    @pytest.mark.parametrize("letter", ["", *string.ascii_uppercase])
    @pytest.mark.parametrize("key_name", ["file", "folder", "upload", "part"])
    def test_the_letter_and_its_key_belong_together(self, letter: str, key_name: str) -> None:
        read = set()
        for grant in (UPLOAD, PART):
            path = grant.place.spelling
            purpose = (letter, key_name)
            token = written_upload(path, replace(grant, issued=NOW), **OURS, purpose=purpose)
            try:
                read.add(read_upload(path, token).key is None)
            except BadToken:
                continue
        expected = {("U", "upload"): {True}, ("P", "part"): {False}}
        assert read == expected.get((letter, key_name), set())

    def test_they_open_no_file(self) -> None:
        for grant in (UPLOAD, PART):
            token = written_upload("in/a.txt", replace(grant, issued=NOW), **OURS)
            for in_path in (False, True):
                with pytest.raises(BadToken):
                    SIGNER.unsign(
                        *("in/a.txt", token, AUDIENCE),
                        in_path=in_path,
                        max_lifetime=WEEK,
                        now=NOW,
                    )
            assert not grant.opens(0)

    def test_a_link_to_a_file_takes_no_upload(self) -> None:
        for token in (TOKEN, FULL_TOKEN):
            with pytest.raises(BadToken):
                read_upload(NAME, token)

    @pytest.mark.parametrize("grant", [UPLOAD, PART], ids=["begin", "part"])
    def test_any_change_of_one_character_of_them_is_refused(self, grant: UploadGrant) -> None:
        path = grant.place.spelling
        token = written_upload(path, grant, **OURS)
        for place, char in enumerate(token):
            other = "a" if char != "a" else "b"
            with pytest.raises(BadToken):
                read_upload(path, token[:place] + other + token[place + 1 :])
            with pytest.raises(BadToken):
                read_upload(path, token[:place] + token[place + 1 :])

    def test_they_are_of_one_owner_and_one_place(self) -> None:
        token = written_upload("in/", UPLOAD, **OURS)
        for path in ("in", "in/x/", "", "~", "in//"):
            with pytest.raises(BadToken):
                read_upload(path, token)
        for audience in (Audience("default"), Audience("default", "other")):
            with pytest.raises(BadToken):
                read_upload("in/", token, audience=audience)
        with pytest.raises(BadToken):
            signer_of(namespace="").unsign_upload("in/", token, AUDIENCE, max_lifetime=9, now=NOW)


class TestContents:
    """Tokens with which a proxy fetches a content."""

    PATH = "default/4711.default.acme"
    FETCH = SIGNER.content_token(PATH, AUDIENCE, now=NOW)

    def check(self, token: str = FETCH, path: str = PATH, **others: Any) -> None:
        arguments: dict[str, Any] = {"audience": AUDIENCE, "now": NOW, **others}
        SIGNER.check_content(path, token, **arguments)

    def test_one_is_as_documented(self) -> None:
        grant = Grant(link_epoch=0, issued=NOW, lifetime=HOUR)
        assert written(self.PATH, grant, purpose=("C", "content"), **OURS) == self.FETCH
        self.check()

    @pytest.mark.parametrize(
        "others",
        [
            {"path": "default/4712.default.acme"},
            {"path": "other/4711.default.acme"},
            {"audience": Audience("default", "other", "")},
            {"token": TOKEN},
            {"token": FULL_TOKEN},
            {"token": written(PATH, GRANT, **OURS)},
            {"token": ""},
            {"now": NOW - CLOCK_SKEW - 1},
        ],
    )
    def test_it_is_for_one_content_of_one_owner(self, others: dict[str, Any]) -> None:
        with pytest.raises(BadToken):
            self.check(**others)

    def test_it_has_expired_after_an_hour(self) -> None:
        self.check(now=NOW + HOUR - 1)
        with pytest.raises(ExpiredToken):
            self.check(now=NOW + HOUR)

    def test_it_opens_no_file_and_takes_no_upload(self) -> None:
        for in_path in (False, True):
            with pytest.raises(BadToken):
                read(self.FETCH, self.PATH, in_path=in_path)
        with pytest.raises(BadToken):
            SIGNER.unsign_upload(self.PATH, self.FETCH, AUDIENCE, max_lifetime=HOUR, now=NOW)
