"""The header policy of each kind of file."""

from urllib.parse import quote

from tests.support.http_cases.answers import Case, ask, part, whole
from tests.support.http_cases.files import KINDS, ODD_NAMES

CASES = [
    *(
        Case(
            f"the policy of a public file: {name}",
            ask(f"/files/open/{name}"),
            whole(f"open/{name}"),
        )
        for name in KINDS
    ),
    *(
        Case(
            f"the policy of a private file: {name}",
            ask(f"/files/closed/{name}?token={{signed[closed/{name}]}}"),
            whole(f"closed/{name}", signed=True),
        )
        for name in KINDS
    ),
    *(
        Case(
            f"the policy of HEAD: {name}",
            ask(f"/files/open/{name}", "HEAD"),
            whole(f"open/{name}"),
        )
        for name in ("page.html", "paper.pdf")
    ),
    *(
        Case(
            f"the policy of a part: {name}",
            ask(f"/files/open/{name}", Range="bytes=1-5"),
            part(f"open/{name}", 1, 5),
        )
        for name in ("page.html", "paper.pdf")
    ),
    *(
        Case(
            f"a private name: {name[:20]}",
            ask(f"/files/closed/{quote(name)}?token={{signed[closed/{name}]}}"),
            whole(f"closed/{name}", signed=True),
        )
        for name in ODD_NAMES
    ),
    *(
        Case(
            f"a public name: {name[:20]}",
            ask(f"/files/open/{quote(name)}"),
            whole(f"open/{name}"),
        )
        for name in ODD_NAMES
    ),
]
