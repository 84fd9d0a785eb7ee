"""Methods."""

from tests.support.http_cases.answers import (
    BAD_TOKEN,
    METHODS,
    MISSING,
    NOT_ALLOWED,
    Case,
    ask,
    whole,
)
from tests.support.http_cases.targets import CHUNKED, CLOSED, EMPTY, OTHER_TAG, SIGNED, URL, WHOLE

CASES = [
    Case("GET sends the file", ask(URL), WHOLE),
    Case("GET sends a file of several chunks", ask(f"/files/{CHUNKED}"), whole(CHUNKED)),
    Case("GET sends an empty file", ask(f"/files/{EMPTY}"), whole(EMPTY)),
    Case("GET sends a private file for its token", ask(SIGNED), whole(CLOSED, signed=True)),
    Case("HEAD sends the headers of GET", ask(URL, "HEAD"), WHOLE),
    Case("HEAD of several chunks", ask(f"/files/{CHUNKED}", "HEAD"), whole(CHUNKED)),
    Case("HEAD of an empty file", ask(f"/files/{EMPTY}", "HEAD"), whole(EMPTY)),
    Case("HEAD of a private file", ask(SIGNED, "HEAD"), whole(CLOSED, signed=True)),
    Case("HEAD of a missing file", ask("/files/nothing", "HEAD"), MISSING),
    Case("HEAD with a bad token", ask(f"{URL}?token=bad", "HEAD"), BAD_TOKEN),
    Case("OPTIONS says which methods there are", ask(URL, "OPTIONS"), METHODS),
    Case("OPTIONS of a missing file says no less", ask("/files/nothing", "OPTIONS"), METHODS),
    Case("OPTIONS of a private file says no more", ask(f"/files/{CLOSED}", "OPTIONS"), METHODS),
    Case("OPTIONS has no preconditions", ask(URL, "OPTIONS", If_Match=OTHER_TAG), METHODS),
    *(
        Case(f"{method} is not allowed", ask(URL, method), NOT_ALLOWED)
        for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "BREW")
    ),
    Case("TRACE is not allowed", ask(URL, "TRACE"), NOT_ALLOWED, rejected_by={"nginx": 405}),
    Case(
        "Django takes a method in any case",
        ask(URL, "get"),
        WHOLE,
        rejected_by={"gunicorn": 400, "nginx": 400},
    ),
    Case("POST with a body", ask(URL, "POST", Content_Length="0"), NOT_ALLOWED),
    Case("POST to a missing file", ask("/files/nothing", "POST"), NOT_ALLOWED),
    Case("POST with a good token", ask(SIGNED, "POST"), NOT_ALLOWED),
    Case("POST with a bad token", ask(f"{URL}?token=bad", "POST"), NOT_ALLOWED),
    Case("POST has no preconditions", ask(URL, "POST", If_Match=OTHER_TAG), NOT_ALLOWED),
    Case("a header changes no method", ask(URL, X_HTTP_Method_Override="DELETE"), WHOLE),
]
