"""The tokens that a target can hold."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from secure_dbstorage.links.grants import Grant
from secure_dbstorage.storage import DatabaseStorage
from tests.support.http_cases.answers import Case, Request
from tests.support.tokens import written_for


@dataclass(frozen=True, slots=True)
class Signing:
    """Makes the tokens of a test."""

    storage: DatabaseStorage
    #: A storage with another namespace.
    foreign: DatabaseStorage
    now: int

    def grant(self, name: str) -> Grant:
        """Return what an ordinary link to a file allows."""
        link_epoch = self.storage.catalog.get(name).link_epoch
        return Grant(link_epoch=link_epoch, issued=self.now, lifetime=3600)

    def folder_token(self, folder: str, **changes: int) -> str:
        """Return the token of an ordinary link for a folder, with changes to what it allows."""
        return written_for(self.storage, folder, replace(self.folder_grant(folder), **changes))

    def folder_grant(self, folder: str) -> Grant:
        """Return what an ordinary link for a folder allows."""
        return Grant(
            link_epoch=time.time_ns() // 1000, issued=self.now, lifetime=3600, folder=folder
        )

    def token_for(self, letter: str, key_name: str, name: str) -> str:
        """Return the token of a link for another purpose."""
        return written_for(self.storage, name, self.grant(name), purpose=(letter, key_name))

    def token(self, name: str, **changes: object) -> str:
        """Return the token of an ordinary link, with changes to what it allows."""
        return written_for(self.storage, name, replace(self.grant(name), **changes))


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _respelled(token: str) -> str:
    """Return another spelling of the same signature: base64 leaves two bits of its end unused."""
    last = _ALPHABET.index(token[-1])
    return token[:-1] + _ALPHABET[last ^ 1]


#: The tokens that a target can hold, by the name in its braces.
LINKS: dict[str, Callable[[Signing, str], str]] = {
    "signed": lambda made, name: made.token(name),
    "attachment": lambda made, name: made.token(name, attachment=True),
    "named": lambda made, name: made.token(name, filename='Ré"port; x=%41.pdf'),
    "short": lambda made, name: made.token(name, issued=int(time.time()), lifetime=100),
    "expired": lambda made, name: made.token(name, issued=made.now - 3601),
    "too_long": lambda made, name: made.token(name, issued=made.now - 8 * 86400, lifetime=10**8),
    "slightly_early": lambda made, name: made.token(name, issued=made.now + 30),
    "future": lambda made, name: made.token(name, issued=int(time.time()) + 300),
    "foreign": lambda made, name: written_for(made.foreign, name, made.grant(name)),
    "upload": lambda made, name: made.token_for("U", "upload", name),
    "part": lambda made, name: made.token_for("P", "part", name),
    "zip": lambda made, name: made.token_for("Z", "zip", name),
    "cache": lambda made, name: made.token_for("C", "file", name),
    "tenants": lambda made, name: written_for(
        made.storage, name, made.grant(name), audience=("default", "acme", "")
    ),
    "tenants_folder": lambda made, name: written_for(
        made.storage, name, made.folder_grant(name), audience=("default", "acme", "")
    ),
    "truncated": lambda made, name: made.token(name)[:-1],
    "half": lambda made, name: made.token(name)[:30],
    "upper": lambda made, name: made.token(name).upper(),
    "lower": lambda made, name: made.token(name).lower(),
    "respelled": lambda made, name: _respelled(made.token(name)),
    "padded": lambda made, name: made.token(name) + "=",
    "version_2": lambda made, name: "2" + made.token(name)[1:],
    "attachment_added": lambda made, name: (
        made.token(name)[:3] + ("a" if made.token(name)[3] == "." else "") + made.token(name)[3:]
    ),
    "folder": lambda made, name: made.folder_token(name),
    "older_folder": lambda made, name: made.folder_token(name, link_epoch=1),
    "expired_folder": lambda made, name: made.folder_token(name, issued=made.now - 3601),
    "respelled_folder": lambda made, name: _respelled(made.folder_token(name)),
    "deeper_folder": lambda made, name: made.folder_token(name).replace("-1.", "-2.", 1),
    "prolonged": lambda made, name: made.token(name).replace(".2s0.", ".2s1."),
}


#: Made when they are asked for: a busy machine may take minutes for all cases.
_LATE = ("{short[", "{future[")


class _Named:
    """Looks a token up by a file's name, for ``str.format``."""

    def __init__(self, made: Signing, link: Callable[[Signing, str], str]) -> None:
        self._made = made
        self._link = link

    def __getitem__(self, name: str) -> str:
        return self._link(self._made, name)


class Targets:
    """Fills the tokens into targets and header fields."""

    def __init__(self, made: Signing, cases: Iterable[Case]) -> None:
        """Make the tokens of these cases, for the files as they are now."""
        self._links = {name: _Named(made, link) for name, link in LINKS.items()}
        self._filled = {
            text: text.format_map(self._links)
            for case in cases
            for text in (case.request.target, *(value for _, value in case.request.headers))
            if isinstance(text, str) and not any(late in text for late in _LATE)
        }

    def fill(self, request: Request) -> Request:
        """Return a request as it is sent."""
        headers = tuple(
            (name, self._text(value) if isinstance(value, str) else value)
            for name, value in request.headers
        )
        return Request(request.method, self._text(request.target), headers)

    def _text(self, text: str) -> str:
        filled = self._filled.get(text)
        return text.format_map(self._links) if filled is None else filled
