"""How tokens are spelled in URLs.

A link to a file has its token in the query: ``/files/a.pdf?token=1no.tivw00...``. A link for a
folder has it in a segment of the path, behind a mark: ``/films/~1noF-1.tivw00.../7/a.ts``. A token
is found in both places by its grammar, whatever its purpose.
"""

import re

from django.urls.converters import PathConverter

#: The name of the query parameter. It is the only parameter that we read.
PARAMETER = "token"

#: Stands before a token in a path.
MARK = "~"

#: A token, whatever its purpose, with enough of its end to tell it from a name: the shortest one
#: is ``1no.0.0.0.`` and the 43 characters of a signature.
_TOKEN = re.compile(r"1[0-9a-z]{2}[A-Z]?a?m?[.-][\w.-]{49,}", re.ASCII)


#: The start of a query, up to a token for uploads. Its letter decides, never the method or a
#: header.
UPLOAD_IN_QUERY = re.compile(rf"(?:.*&)?{PARAMETER}=1[0-9a-z]{{2}}[UP]", re.ASCII | re.DOTALL)


def _spelled(char: str) -> str:
    """Return the expression for a character, however often it was quoted for a URL."""
    return f"(?:{re.escape(char)}|%(?:25)*{ord(char):x})"


#: The parameter in a text, however a client spelled its name. It may stand in a URL that is itself
#: a parameter of another, such as that of a login page. Group 1 is what comes before the token.
PARAMETER_IN_TEXT = re.compile(
    rf"((?:^|[\"';\s]|{_spelled('?')}|{_spelled('&')})"
    rf"{''.join(map(_spelled, PARAMETER))}{_spelled('=')})"
    r"[^&\s\"'#]+",
    re.IGNORECASE,
)

#: A token in the path of a text, however a client spelled it: behind the mark that begins a
#: segment, or behind any mark if it has our version. Group 1 is what comes before the token.
SEGMENT_IN_TEXT = re.compile(
    rf"({_spelled('/')}{_spelled(MARK)}|{_spelled(MARK)}(?={_spelled('1')}))[\w.%-]{{50,}}",
    re.ASCII | re.IGNORECASE,
)

#: A whole token anywhere in a text, such as a cookie. Nothing else has its shape: the numbers of
#: other tokens, such as JSON Web Tokens, are longer or fewer.
WHOLE_IN_TEXT = re.compile(
    r"1[0-9a-z]{2}[A-Z]?a?m?(?:-[0-9a-z]{1,13})?"
    r"\.[0-9a-z]{1,8}\.[0-9a-z]{1,6}\.[0-9a-z]{1,12}(?:\.[\w-]{1,4096})?\.[\w-]{43}",
    re.ASCII,
)

#: How long the shortest whole token is: ``1no.0.0.0.`` and a signature.
SHORTEST_WHOLE = 53

#: How many dots a whole token has at least.
DOTS_IN_WHOLE = 4

#: The mark and the token anywhere in the name that the route found. Behind a slash too many, for
#: example, it makes no link, but it is still a token. So is that of a query whose "?" was quoted.
MARKED_TOKEN = re.compile(
    rf"(?P<mark>{_spelled(MARK)}|[?&]{PARAMETER}=)(?P<token>{_TOKEN.pattern})",
    re.ASCII | re.IGNORECASE,
)


class SignedPath(str):
    """A text that holds a token: error reports that show variables don't show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<signed>"


class NameConverter(PathConverter):
    """The name of a file in a route. With a token it is a signed path."""

    # Django's own stops at a line feed. Its 404 page, which may show the token, would answer.
    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """Return the name, which Django hands from frame to frame on its way to the view."""
        return SignedPath(value) if find_marked(value) else value


def find_marked(name: str) -> re.Match[str] | None:
    """Return the first marked token in a name, or None."""
    # Most names are too short for one.
    return MARKED_TOKEN.search(name) if len(name) > SHORTEST_WHOLE else None


def link_id(url: str) -> str:
    """Return the short name of the link in a URL that we made; "" for an unsigned one.

    It is the beginning of the signature, as in the access log, and opens nothing.
    """
    token = url.rpartition(f"?{PARAMETER}=")[2] if f"?{PARAMETER}=" in url else ""
    if not token and (found := find_marked(url)):
        token = found["token"]
    return token.rpartition(".")[2][:8]


def spelled_content(storage: str, key: int, place: tuple[str, str]) -> str:
    """Return how the internal route spells a content, as ``default/4711.default.acme``.

    A proxy's cache knows a content by this path. It names the table, since another one may have
    the same key; no other content of this one ever gets it, so nothing has to be purged.

    :param storage: an alias in ``STORAGES``.
    :param key: the content key.
    :param place: the table: the alias of its database, and the schema in that.
    """
    return f"{storage}/{key}.{'.'.join(place)}"


def read_content(content: str) -> tuple[str, int]:
    """Return the storage and the content key of a path that we have spelled."""
    storage, _, rest = content.rpartition("/")
    return storage, int(rest.partition(".")[0])


def leading_token(name: str) -> tuple[SignedPath, str] | None:
    """Return the token and the name behind it, or None if *name* begins otherwise."""
    marked, _, rest = name.partition("/")
    token = marked.removeprefix(MARK)
    if token == marked or not _TOKEN.fullmatch(token):
        return None
    return SignedPath(token), rest
