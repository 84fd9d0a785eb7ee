"""Links to folders."""

from urllib.parse import quote

from tests.support.http_cases.answers import (
    BAD_TOKEN,
    EXPIRED,
    MISSING,
    MISSING_WITH_TOKEN,
    REVOKED,
    Case,
    ask,
    part,
    whole,
)
from tests.support.http_cases.files import ODD_NAMES
from tests.support.http_cases.targets import NAME, SECRET, SECRET_URL

CASES = [
    Case(
        "a private file by the link of its folder",
        ask("/files/~{folder[closed]}/closed/secret.txt"),
        whole("closed/secret.txt", signed=True),
    ),
    Case(
        "the tilde of a folder's link may be encoded",
        ask("/files/%7E{folder[closed]}/closed/secret.txt"),
        whole("closed/secret.txt", signed=True),
    ),
    Case(
        "a part of a file by the link of its folder",
        ask("/files/~{folder[closed]}/closed/hundred.bin", Range="bytes=10-19"),
        part("closed/hundred.bin", 10, 19, signed=True),
    ),
    Case(
        "HEAD by the link of a folder",
        ask("/files/~{folder[closed]}/closed/hundred.bin", "HEAD"),
        whole("closed/hundred.bin", signed=True),
    ),
    *(
        Case(
            f"the policy of a file by the link of its folder: {name}",
            ask(f"/files/~{{folder[closed]}}/closed/{name}"),
            whole(f"closed/{name}", signed=True),
        )
        for name in ("page.html", "drawing.svg", "script.js", "paper.pdf", "picture.png")
    ),
    *(
        Case(
            f"an odd name by the link of its folder: {name[:20]}",
            ask(f"/files/~{{folder[closed]}}/closed/{quote(name)}"),
            whole(f"closed/{name}", signed=True),
        )
        for name in ODD_NAMES
    ),
    Case(
        "a public file by the link of its folder",
        ask(f"/files/~{{folder[open]}}/{NAME}"),
        whole(NAME, signed=True),
    ),
    *(
        Case(f"{what}, by the link of a folder", ask(f"/files/~{target}"), BAD_TOKEN)
        for what, target in (
            ("a file of another folder", "{folder[open]}/closed/secret.txt"),
            ("a file whose folder begins alike", "{folder[close]}/closed/secret.txt"),
            ("a file by the link of itself", "{folder[closed/secret.txt]}/closed/secret.txt"),
            ("another depth", "{deeper_folder[closed]}/closed/secret.txt"),
            ("another spelling", "{respelled_folder[closed]}/closed/secret.txt"),
            ("two tokens", f"{{folder[closed]}}/{SECRET}?token={{signed[{SECRET}]}}"),
            ("an empty second token", f"{{folder[closed]}}/{SECRET}?token="),
            ("two in the path", f"{{folder[closed]}}/~{{folder[closed]}}/{SECRET}"),
            ("the token of a file", f"{{signed[{SECRET}]}}/{SECRET}"),
            ("a token for an upload", f"{{upload[{SECRET}]}}/{SECRET}"),
            ("a token for a part of one", f"{{part[{SECRET}]}}/{SECRET}"),
            ("a token for an archive", f"{{zip[{SECRET}]}}/{SECRET}"),
            ("a token for a cache", f"{{cache[{SECRET}]}}/{SECRET}"),
            ("the link of another tenant", f"{{tenants_folder[closed]}}/{SECRET}"),
        )
    ),
    Case(
        "the token of a folder in the query",
        ask(f"{SECRET_URL}?token={{folder[closed]}}"),
        BAD_TOKEN,
    ),
    *(
        Case(
            f"{what} in the path",
            ask(f"/files/~{target}"),
            MISSING_WITH_TOKEN if target.startswith("{folder") else MISSING,
        )
        for what, target in (
            ("half of a token", f"{{half[{SECRET}]}}/{SECRET}"),
            ("the token of a folder alone", "{folder[closed]}"),
            ("the token of a folder with a slash", "{folder[closed]}/"),
            ("a way up", "{folder[closed]}/closed/../open/hundred.bin"),
            ("an empty segment", "{folder[closed]}//closed/secret.txt"),
        )
    ),
    Case("a folder itself, by its link", ask("/files/~{folder[closed]}/closed"), BAD_TOKEN),
    Case(
        "a folder's link that has expired",
        ask(f"/files/~{{expired_folder[closed]}}/{SECRET}"),
        EXPIRED,
    ),
    Case(
        "a file that came after the folder's link",
        ask(f"/files/~{{older_folder[closed]}}/{SECRET}"),
        REVOKED,
    ),
    Case(
        "no file, by the link of its folder", ask("/files/~{folder[closed]}/closed/none"), REVOKED
    ),
]
