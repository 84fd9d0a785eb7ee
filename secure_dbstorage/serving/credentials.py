"""Credentials: take the tokens out of a request, so that no log, report or later code has them."""

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote_plus, urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path, iri_to_uri

from secure_dbstorage.exceptions import BadToken
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.links.paths import (
    MARKED_TOKEN,
    PARAMETER,
    SignedPath,
    find_marked,
    leading_token,
)
from secure_dbstorage.links.signer import LinkSigner
from secure_dbstorage.links.tokens import Audience
from secure_dbstorage.redaction import (
    REMOVED,
    has_whole,
    without_segments,
    without_tokens,
    without_whole,
)
from secure_dbstorage.serving.copies import long_fields, rewrite_copies, set_query

#: A value that is removed wherever it stands. A shorter one could stand anywhere by chance, and
#: opens nothing: whole tokens have at least 53 characters. With other characters it is no token,
#: but could be what a proxy says of the client: an IPv6 address, or a Forwarded field.
_LIKE_A_TOKEN = re.compile(r"[\w.~%-]{34,}", re.ASCII)


class Credentials(NamedTuple):
    """The tokens of a request, and the URL that they came in.

    The views that use them hide their variables, and those of all that they call, from error
    reports.
    """

    #: The token in the path, such as one for a folder; None without one.
    path_token: SignedPath | None = None
    #: The tokens in the query, in their order.
    query_tokens: tuple[SignedPath, ...] = ()
    #: The path and the query that the request came with, tokens included.
    path: SignedPath = SignedPath()
    query: SignedPath = SignedPath()

    @classmethod
    def take(cls, request: HttpRequest, name: str) -> tuple["Credentials", str]:
        """Remove every token from a request, and return them with the name of the file.

        They are removed from every copy of the request's target that Django, servers and proxies
        keep: the path, META, headers, the ASGI scope, the resolver's match. A Referer from our own
        host is cleaned too, and so is whatever holds the token of another link, such as a cookie.

        :param name: the name that the route found, which may begin with a token.
        """
        meta = request.META
        path, query = SignedPath(request.path), SignedPath(meta.get("QUERY_STRING", ""))
        long = long_fields(meta)
        in_path = _PathToken.find(name)
        if in_path is not None:
            rewrite_copies(request, in_path.removed_from)
            name = in_path.name
        in_query = _QueryTokens.find(meta.get("QUERY_STRING", ""))
        if in_query is not None:
            set_query(request, in_query.rest)
            rewrite_copies(request, in_query.removed_from, trace=in_query.trace, long=long)
        _clean_referer(request)
        if has_whole([meta[field] for field in long]):
            rewrite_copies(request, without_whole)
        path_token = in_path.token if in_path and in_path.is_in_place else None
        query_tokens = in_query.tokens if in_query else ()
        return cls(path_token, query_tokens, path, query), name

    def read(
        self,
        name: str,
        signer: LinkSigner,
        audience: Audience,
        *,
        max_lifetime: int,
        now: float,
    ) -> Grant:
        """Return what the token of the request grants for a file.

        :param name: canonical.
        :param audience: whose file it is.
        :param max_lifetime: seconds after which even a longer link has expired.
        :param now: when the request came, in seconds since 1970.
        :raises ExpiredToken: when the token is authentic and its time is over.
        :raises BadToken: for any other fault, and for more than one token.
        """
        tokens = self._tokens
        if len(tokens) != 1:
            raise BadToken("The request has more than one token")
        return signer.unsign(
            name,
            tokens[0],
            audience,
            in_path=self.path_token is not None,
            max_lifetime=max_lifetime,
            now=now,
        )

    def check_content(
        self, content: str, signer: LinkSigner, audience: Audience, *, now: float
    ) -> None:
        """Check the token with which a proxy fetches a content.

        Arguments and errors are those of
        :meth:`~secure_dbstorage.links.signer.LinkSigner.check_content`.

        :raises BadToken: without a token and for more than one, too.
        """
        if len(self._tokens) != 1 or self.path_token is not None:
            raise BadToken("The request has no token, or more than one")
        signer.check_content(content, self._tokens[0], audience, now=now)

    @property
    def has_token(self) -> bool:
        """Whether the request came with a token, good or bad."""
        return self.path_token is not None or bool(self.query_tokens)

    @property
    def _tokens(self) -> tuple[SignedPath, ...]:
        in_path = () if self.path_token is None else (self.path_token,)
        return in_path + self.query_tokens

    @property
    def return_path(self) -> SignedPath:
        """The path and query that the request came with, tokens included, quoted for a URL."""
        path = escape_uri_path(self.path)
        return SignedPath(f"{path}?{iri_to_uri(self.query)}" if self.query else path)


@dataclass(frozen=True, slots=True)
class _PathToken:
    """The token in the name that the route found."""

    token: SignedPath
    #: The name of the file, without the token.
    name: str
    #: Whether the token stands where a link has it.
    is_in_place: bool

    @classmethod
    def find(cls, name: str) -> "_PathToken | None":
        found = find_marked(name)
        if found is None:
            return None
        leading = leading_token(name)
        if leading is not None:
            token, rest = leading
            return cls(token, MARKED_TOKEN.sub(rf"\g<mark>{REMOVED}", rest), is_in_place=True)
        token = SignedPath(found["token"])
        return cls(token, _without_token(name, token), is_in_place=False)

    def removed_from(self, text: str) -> str:
        """Return a text, such as a path, without the token, however a client spelled it."""
        return _without_token(text, self.token)


def _without_token(text: str, token: str) -> str:
    return without_segments(text.replace(token, REMOVED))


class _QueryTokens(NamedTuple):
    """A query that has tokens."""

    query: SignedPath
    #: The query without its tokens; the other parameters are spelled as they were.
    rest: str
    #: The values of the parameters that hold the tokens, as they were spelled.
    values: tuple[SignedPath, ...]

    @classmethod
    def find(cls, query: str) -> "_QueryTokens | None":
        values: list[SignedPath] = []
        rest: list[str] = []
        for part in query.split("&"):
            name, _, value = part.partition("=")
            if _names_token(name):
                values.append(SignedPath(value))
            else:
                rest.append(part)
        return cls(SignedPath(query), "&".join(rest), tuple(values)) if values else None

    @property
    def tokens(self) -> tuple[SignedPath, ...]:
        """The tokens in their order."""
        return tuple([SignedPath(unquote_plus(value)) for value in self.values])

    @property
    def trace(self) -> str:
        """What every copy of the tokens has; empty if there is no telling."""
        return self.values[0] if len(self.values) == 1 else ""

    def removed_from(self, text: str) -> str:
        """Return a text, such as a request target, without the tokens."""
        if text.endswith(f"?{self.query}"):
            return _joined(text[: -len(self.query) - 1], self.rest)
        for value in self.values:
            # The value alone: its name may be quoted, as in a parameter of another URL.
            if _LIKE_A_TOKEN.fullmatch(value):
                text = text.replace(value, REMOVED)
        return text


def _clean_referer(request: HttpRequest) -> None:
    """Remove the tokens of other links from a Referer that names our own host."""
    referer = request.META.get("HTTP_REFERER")
    if not referer:
        return
    # A login page has the URL that it leads back to, token included, in one of its parameters.
    clean = without_tokens(_without_query_tokens(referer))
    if clean != referer and _is_ours(request, referer):
        rewrite_copies(request, lambda text: clean if text == referer else text)


def _names_token(name: str) -> bool:
    return name == PARAMETER or unquote_plus(name) == PARAMETER


def _without_query_tokens(url: str) -> str:
    if "?" not in url:
        return url
    path, _, query = url.partition("#")[0].partition("?")
    found = _QueryTokens.find(query)
    return _joined(path, query if found is None else found.rest)


def _joined(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _is_ours(request: HttpRequest, url: str) -> bool:
    try:
        # Compared without port, user and upper case, in which a spelling may differ.
        return urlsplit(url).hostname == urlsplit(f"//{request.get_host()}").hostname
    except (ValueError, DisallowedHost):
        return False
