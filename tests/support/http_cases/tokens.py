"""Tokens, good and bad."""

import re

from tests.support.http_cases.answers import (
    BAD_TOKEN,
    EXPIRED,
    MISSING,
    MISSING_WITH_TOKEN,
    REVOKED,
    SANDBOX,
    Case,
    ask,
    takes_uploads,
    whole,
)
from tests.support.http_cases.targets import GOOD, NAME, OPENED, SECRET, SECRET_URL, URL

_NAMED = (
    """filename="Re_port; x=_41.pdf"; """
    "filename*=UTF-8''R%C3%A9%22port%3B%20x%3D%2541.pdf"
)

CASES = [
    Case("a private file without a token", ask(SECRET_URL), MISSING),
    Case("a private file with its token", ask(GOOD), OPENED),
    *(
        Case(f"a bad token: {query[:60]}", ask(f"{SECRET_URL}?{query}"), BAD_TOKEN)
        for query in (
            "token=",
            "token",
            "token=bad",
            "token=%00",
            "token=%0d%0aX:1",
            "token=%ff",
            "token=%F0%9F%94%91",
            "token=....",
            "token=1aa.1.1.1.x",
            f"token={'A' * 3000}",
            f"token=1aa.1.1.1.{'A' * 3000}.{'A' * 43}",
            f"token={{truncated[{SECRET}]}}",
            f"token={{half[{SECRET}]}}",
            f"token={{upper[{SECRET}]}}",
            f"token={{lower[{SECRET}]}}",
            f"token={{respelled[{SECRET}]}}",
            f"token={{padded[{SECRET}]}}",
            f"token={{version_2[{SECRET}]}}",
            f"token={{cache[{SECRET}]}}",
            f"token={{tenants[{SECRET}]}}",
            f"token={{attachment_added[{SECRET}]}}",
            f"token={{prolonged[{SECRET}]}}",
            f"token={{signed[{SECRET}]}}%00",
            f"token={{signed[{SECRET}]}}%0a",
            f"token=%20{{signed[{SECRET}]}}",
            f"token={{signed[{SECRET}]}}+",
            f"token={{signed[{SECRET}]}}x",
            f"token={{signed[{SECRET}]}}.x",
            f"token={{future[{SECRET}]}}",
            f"token={{foreign[{SECRET}]}}",
            "token={signed[closed/other.txt]}",
            "token={signed[closed/hundred.bin]}",
            f"token={{signed[{SECRET}]}}&token={{signed[{SECRET}]}}",
            f"token={{signed[{SECRET}]}}&token=",
            f"token=bad&token={{signed[{SECRET}]}}",
            f"token={{signed[{SECRET}]}}&%74oken=bad",
        )
    ),
    Case(
        "a token for an archive of what is below a file finds nothing",
        ask(f"{SECRET_URL}?token={{zip[{SECRET}]}}"),
        MISSING_WITH_TOKEN,
    ),
    Case(
        "a token to begin an upload reads nothing",
        ask(f"{SECRET_URL}?token={{upload[{SECRET}]}}"),
        takes_uploads("POST, PUT, OPTIONS"),
    ),
    Case(
        "a token of an upload reads nothing",
        ask(f"{SECRET_URL}?token={{part[{SECRET}]}}"),
        takes_uploads("HEAD, PATCH, DELETE, OPTIONS"),
    ),
    *(
        Case(f"no token: {query[:60]}", ask(f"{SECRET_URL}?{query}"), MISSING)
        for query in (
            "",
            f"token[]={{signed[{SECRET}]}}",
            f"token[0]={{signed[{SECRET}]}}",
            f"TOKEN={{signed[{SECRET}]}}",
            f"Token={{signed[{SECRET}]}}",
            f"tok%00en={{signed[{SECRET}]}}",
            f"%20token={{signed[{SECRET}]}}",
            f"x;token={{signed[{SECRET}]}}",
            f"x=token={{signed[{SECRET}]}}",
            f"{{signed[{SECRET}]}}",
        )
    ),
    *(
        Case(f"a good token beside others: {query[:60]}", ask(f"{SECRET_URL}?{query}"), OPENED)
        for query in (
            f"utm_source=mail&token={{signed[{SECRET}]}}",
            f"token={{signed[{SECRET}]}}&utm_source=mail&x",
            f"&&token={{signed[{SECRET}]}}&",
            f"%74%6F%6B%65%6E={{signed[{SECRET}]}}",
            f"token[]=bad&TOKEN=bad&token={{signed[{SECRET}]}}",
        )
    ),
    *(
        Case(
            f"an unsigned parameter changes no header: {query}",
            ask(f"{SECRET_URL}?token={{signed[{SECRET}]}}&{query}"),
            OPENED,
        )
        for query in (
            "download=evil.exe",
            "attachment=1",
            "filename=evil.exe",
            "response-content-type=text/html",
            "response-content-disposition=attachment",
            "content_type=text/html&inline=1",
            "expires=99999999999",
            "f=evil.exe&a=1",
        )
    ),
    *(
        Case(
            f"a long token: {size}",
            ask(f"{SECRET_URL}?token={'A' * size}"),
            BAD_TOKEN,
            rejected_by={"gunicorn": 414, "nginx": 414},
        )
        for size in (8 * 1024, 60 * 1024)
    ),
    Case(
        "nine hundred parameters",
        ask(f"{SECRET_URL}?{'a&' * 900}token={{signed[{SECRET}]}}"),
        OPENED,
    ),
    Case("an expired token", ask(f"{SECRET_URL}?token={{expired[{SECRET}]}}"), EXPIRED),
    Case(
        "an expired token in HEAD",
        ask(f"{SECRET_URL}?token={{expired[{SECRET}]}}", "HEAD"),
        EXPIRED,
    ),
    Case("a lifetime over the cap", ask(f"{SECRET_URL}?token={{too_long[{SECRET}]}}"), EXPIRED),
    Case(
        "an expired token of another file is only bad",
        ask(f"{SECRET_URL}?token={{expired[closed/other.txt]}}"),
        BAD_TOKEN,
    ),
    Case(
        "a server's clock may be a little ahead",
        ask(f"{SECRET_URL}?token={{slightly_early[{SECRET}]}}"),
        OPENED,
    ),
    *(
        Case(
            f"a link that no longer works: {name}",
            ask(f"/files/{name}?token={{signed[{name}]}}"),
            REVOKED,
        )
        for name in ("closed/replaced.txt", "closed/deleted.txt", "closed/renamed.txt")
    ),
    Case(
        "a link survives an overwrite",
        ask("/files/closed/overwritten.txt?token={signed[closed/overwritten.txt]}"),
        whole("closed/overwritten.txt", signed=True),
    ),
    Case(
        "a link to a file that is public by now",
        ask("/files/closed/opened.txt?token={signed[closed/opened.txt]}"),
        whole("closed/opened.txt", signed=True),
    ),
    Case(
        "a file that is public by now",
        ask("/files/closed/opened.txt"),
        whole("closed/opened.txt"),
    ),
    Case("a file that is private by now", ask("/files/open/closed.txt"), MISSING),
    Case("a bad token for a public file", ask(f"{URL}?token=bad"), BAD_TOKEN),
    Case("an empty token for a public file", ask(f"{URL}?token="), BAD_TOKEN),
    Case(
        "a good token for a public file makes the answer private",
        ask(f"{URL}?token={{signed[{NAME}]}}"),
        whole(NAME, signed=True),
    ),
    Case("a bad token on a name that can't be", ask("/files/a//b?token=bad"), MISSING_WITH_TOKEN),
    Case(
        "a download by its token",
        ask("/files/closed/note.txt?token={attachment[closed/note.txt]}"),
        whole(
            "closed/note.txt",
            signed=True,
            content_disposition='attachment; filename="note.txt"',
            x_frame_options="DENY",
        ),
    ),
    Case(
        "a PDF as a download is sandboxed",
        ask("/files/closed/paper.pdf?token={attachment[closed/paper.pdf]}"),
        whole(
            "closed/paper.pdf",
            signed=True,
            content_disposition='attachment; filename="paper.pdf"',
            content_security_policy=SANDBOX,
            x_frame_options="DENY",
        ),
    ),
    Case(
        "a signed file name",
        ask("/files/closed/paper.pdf?token={named[closed/paper.pdf]}"),
        whole(
            "closed/paper.pdf",
            signed=True,
            content_disposition=f"inline; {_NAMED}",
        ),
    ),
    Case(
        "a signed file name changes no type",
        ask("/files/closed/page.html?token={named[closed/page.html]}"),
        whole(
            "closed/page.html",
            signed=True,
            content_disposition=f"attachment; {_NAMED}",
        ),
    ),
    Case(
        "a copy is not kept longer than its link works",
        ask(f"{SECRET_URL}?token={{short[{SECRET}]}}"),
        whole(SECRET, signed=True, cache_control=re.compile(r"private, max-age=(100|[89]\d)")),
    ),
    Case(
        "a private file behind a hook, and nobody signed in",
        ask("/invoices/closed/secret.txt?token={foreign[closed/secret.txt]}"),
        REVOKED,
    ),
]
