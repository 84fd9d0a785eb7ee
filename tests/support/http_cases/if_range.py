"""If-Range (RFC 9110 section 13.1.5)."""

from tests.support.http_cases.answers import (
    CHANGED,
    Case,
    Request,
    ask,
    part,
    unsatisfiable,
    whole,
)
from tests.support.http_cases.dates import EARLIER, EPOCH, LATER, NO_DATES, SAME
from tests.support.http_cases.files import etag_of
from tests.support.http_cases.targets import (
    BY_NGINX,
    CHUNKED,
    NAME,
    NOT_CHANGED,
    OTHER_TAG,
    TAG,
    URL,
    WHOLE,
)

_FIRST = part(NAME, 0, 9)

_BOUND = {"Range": "bytes=0-9"}

CASES = [
    Case("If-Range: the tag", ask(URL, If_Range=TAG, **_BOUND), _FIRST),
    Case("If-Range: another tag", ask(URL, If_Range=OTHER_TAG, **_BOUND), WHOLE),
    Case("If-Range: the tag as a weak one", ask(URL, If_Range=f"W/{TAG}", **_BOUND), WHOLE),
    Case("If-Range: the tag unquoted", ask(URL, If_Range=TAG.strip('"'), **_BOUND), WHOLE),
    Case("If-Range: a list of tags", ask(URL, If_Range=f"{TAG}, {OTHER_TAG}", **_BOUND), WHOLE),
    Case("If-Range: *", ask(URL, If_Range="*", **_BOUND), WHOLE),
    Case("If-Range: nothing", ask(URL, If_Range="", **_BOUND), WHOLE),
    *(Case(f"If-Range: {date}", ask(URL, If_Range=date, **_BOUND), _FIRST) for date in SAME),
    *(
        Case(f"If-Range, another date: {date}", ask(URL, If_Range=date, **_BOUND), WHOLE)
        for date in (*EARLIER, *LATER, EPOCH)
    ),
    *(
        Case(f"If-Range, no date: {date}", ask(URL, If_Range=date, **_BOUND), WHOLE)
        for date in NO_DATES
    ),
    Case("If-Range without Range", ask(URL, If_Range=TAG), WHOLE),
    Case("If-Range: another tag, without Range", ask(URL, If_Range=OTHER_TAG), WHOLE),
    Case(
        "If-Range: the tag, and a range beyond the end",
        ask(URL, If_Range=TAG, Range="bytes=100-"),
        unsatisfiable(NAME),
    ),
    Case(
        "If-Range: another tag, and a range beyond the end",
        ask(URL, If_Range=OTHER_TAG, Range="bytes=100-"),
        WHOLE,
    ),
    Case("If-Range in a HEAD", ask(URL, "HEAD", If_Range=TAG, **_BOUND), WHOLE),
    Case(
        "If-Range is true and If-Match false",
        ask(URL, If_Match=OTHER_TAG, If_Range=TAG, **_BOUND),
        CHANGED,
    ),
    Case(
        "If-Range is false and If-Match true",
        ask(URL, If_Match=TAG, If_Range=OTHER_TAG, **_BOUND),
        WHOLE,
    ),
    Case(
        "If-Range is true and If-None-Match false",
        ask(URL, If_None_Match=TAG, If_Range=TAG, **_BOUND),
        NOT_CHANGED,
    ),
    Case(
        "If-Range in two lines",
        Request("GET", URL, (("Range", "bytes=0-9"), ("If-Range", TAG), ("If-Range", TAG))),
        WHOLE,
        rejected_by=BY_NGINX,
    ),
    Case(
        "If-Range across chunks",
        ask(f"/files/{CHUNKED}", If_Range=etag_of(CHUNKED), Range="bytes=4095-4096"),
        part(CHUNKED, 4095, 4096),
    ),
    Case(
        "a stale If-Range of several chunks",
        ask(f"/files/{CHUNKED}", If_Range=TAG, Range="bytes=4095-4096"),
        whole(CHUNKED),
    ),
]
