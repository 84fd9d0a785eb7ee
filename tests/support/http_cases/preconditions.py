"""Preconditions (RFC 9110 section 13)."""

from tests.support.http_cases.answers import (
    BAD_TOKEN,
    CHANGED,
    MISSING,
    Case,
    Request,
    ask,
    not_modified,
    part,
    unsatisfiable,
)
from tests.support.http_cases.dates import (
    DISTANT_FUTURE,
    DISTANT_PAST,
    EARLIER,
    EPOCH,
    LATER,
    NO_DATES,
    SAME,
)
from tests.support.http_cases.files import etag_of
from tests.support.http_cases.targets import (
    BY_NGINX,
    CLOSED,
    NAME,
    NOT_CHANGED,
    OTHER_TAG,
    SIGNED,
    TAG,
    URL,
    WHOLE,
)

CASES = [
    # If-Match compares strongly.
    Case("If-Match: the tag", ask(URL, If_Match=TAG), WHOLE),
    Case("If-Match: another tag", ask(URL, If_Match=OTHER_TAG), CHANGED),
    Case("If-Match: a list with the tag", ask(URL, If_Match=f"{OTHER_TAG}, {TAG}"), WHOLE),
    Case("If-Match: a list without it", ask(URL, If_Match=f'{OTHER_TAG}, "1"'), CHANGED),
    Case("If-Match: *", ask(URL, If_Match="*"), WHOLE),
    Case("If-Match: the tag as a weak one", ask(URL, If_Match=f"W/{TAG}"), CHANGED),
    Case("If-Match in a HEAD", ask(URL, "HEAD", If_Match=OTHER_TAG), CHANGED),
    Case("If-Match: the empty tag", ask(URL, If_Match='""'), CHANGED),
    Case(
        "If-Match: the tag unquoted",
        ask(URL, If_Match=TAG.strip('"')),
        CHANGED,
    ),
    Case(
        "If-Match: an empty list",
        ask(URL, If_Match=""),
        CHANGED,
    ),
    # If-None-Match compares weakly.
    Case("If-None-Match: the tag", ask(URL, If_None_Match=TAG), NOT_CHANGED),
    Case("If-None-Match: another tag", ask(URL, If_None_Match=OTHER_TAG), WHOLE),
    Case("If-None-Match: a list", ask(URL, If_None_Match=f"{OTHER_TAG}, {TAG}"), NOT_CHANGED),
    Case(
        "If-None-Match: a list without blanks", ask(URL, If_None_Match=f'"1",{TAG}'), NOT_CHANGED
    ),
    Case("If-None-Match: empty elements", ask(URL, If_None_Match=f", ,{TAG},"), NOT_CHANGED),
    Case("If-None-Match: the tag as a weak one", ask(URL, If_None_Match=f"W/{TAG}"), NOT_CHANGED),
    Case("If-None-Match: w/ is no W/", ask(URL, If_None_Match=f"w/{TAG}"), WHOLE),
    Case("If-None-Match: weak ones", ask(URL, If_None_Match=f'W/"1", W/{TAG}'), NOT_CHANGED),
    Case("If-None-Match: a comma in a tag", ask(URL, If_None_Match=f'"a,b", {TAG}'), NOT_CHANGED),
    Case("If-None-Match: *", ask(URL, If_None_Match="*"), NOT_CHANGED),
    Case("If-None-Match: the tag unquoted", ask(URL, If_None_Match=TAG.strip('"')), WHOLE),
    Case("If-None-Match: a quote is missing", ask(URL, If_None_Match=TAG[:-1]), WHOLE),
    Case("If-None-Match: the start of the tag", ask(URL, If_None_Match=TAG[:20] + '"'), WHOLE),
    Case("If-None-Match: another case", ask(URL, If_None_Match=TAG.upper()), WHOLE),
    Case("If-None-Match: an empty list", ask(URL, If_None_Match=""), WHOLE),
    Case("If-None-Match in a HEAD", ask(URL, "HEAD", If_None_Match=TAG), NOT_CHANGED),
    Case(
        "If-None-Match in two lines",
        Request("GET", URL, (("If-None-Match", OTHER_TAG), ("If-None-Match", TAG))),
        NOT_CHANGED,
        rejected_by=BY_NGINX,
    ),
    Case(
        "If-None-Match: a hundred tags",
        ask(URL, If_None_Match=", ".join([*(f'"{n:040}"' for n in range(100)), TAG])),
        NOT_CHANGED,
    ),
    Case(
        "If-None-Match of a private file",
        ask(SIGNED, If_None_Match=etag_of(CLOSED)),
        not_modified(CLOSED, signed=True),
    ),
    Case(
        "If-None-Match of a file that a browser shows",
        ask("/files/open/paper.pdf", If_None_Match=etag_of("open/paper.pdf")),
        not_modified("open/paper.pdf"),
    ),
    # Dates, in the three formats.
    *(
        Case(f"If-Modified-Since: {date}", ask(URL, If_Modified_Since=date), NOT_CHANGED)
        for date in SAME
    ),
    *(
        Case(f"If-Modified-Since, later: {date}", ask(URL, If_Modified_Since=date), NOT_CHANGED)
        for date in (*LATER, DISTANT_FUTURE)
    ),
    *(
        Case(f"If-Modified-Since, earlier: {date}", ask(URL, If_Modified_Since=date), WHOLE)
        for date in (*EARLIER, EPOCH, DISTANT_PAST, "Monday, 28-Feb-94 12:30:45 GMT")
    ),
    *(
        Case(f"If-Modified-Since, no date: {date}", ask(URL, If_Modified_Since=date), WHOLE)
        for date in NO_DATES
    ),
    Case("If-Modified-Since in a HEAD", ask(URL, "HEAD", If_Modified_Since=SAME[0]), NOT_CHANGED),
    *(
        Case(f"If-Unmodified-Since: {date}", ask(URL, If_Unmodified_Since=date), WHOLE)
        for date in (*SAME, *LATER, DISTANT_FUTURE)
    ),
    *(
        Case(f"If-Unmodified-Since, earlier: {date}", ask(URL, If_Unmodified_Since=date), CHANGED)
        for date in (*EARLIER, DISTANT_PAST)
    ),
    Case(
        "If-Unmodified-Since: 1970",
        ask(URL, If_Unmodified_Since=EPOCH),
        CHANGED,
    ),
    *(
        Case(f"If-Unmodified-Since, no date: {date}", ask(URL, If_Unmodified_Since=date), WHOLE)
        for date in NO_DATES
    ),
    # The order of section 13.2.2.
    Case(
        "If-Match is true, so If-Unmodified-Since is not asked",
        ask(URL, If_Match=TAG, If_Unmodified_Since=EARLIER[0]),
        WHOLE,
    ),
    Case(
        "If-Match is false before If-None-Match",
        ask(URL, If_Match=OTHER_TAG, If_None_Match=TAG),
        CHANGED,
    ),
    Case(
        "If-Match is true, then If-None-Match",
        ask(URL, If_Match=TAG, If_None_Match=TAG),
        NOT_CHANGED,
    ),
    Case(
        "If-Match is true, then If-Modified-Since",
        ask(URL, If_Match="*", If_Modified_Since=SAME[0]),
        NOT_CHANGED,
    ),
    Case(
        "If-Unmodified-Since is false before If-None-Match",
        ask(URL, If_Unmodified_Since=EARLIER[0], If_None_Match=TAG),
        CHANGED,
    ),
    Case(
        "If-Unmodified-Since is true, then If-None-Match",
        ask(URL, If_Unmodified_Since=LATER[0], If_None_Match=TAG),
        NOT_CHANGED,
    ),
    Case(
        "If-None-Match is true, so If-Modified-Since is not asked",
        ask(URL, If_None_Match=OTHER_TAG, If_Modified_Since=SAME[0]),
        WHOLE,
    ),
    Case(
        "If-None-Match is false, so If-Modified-Since is not asked",
        ask(URL, If_None_Match=TAG, If_Modified_Since=EARLIER[0]),
        NOT_CHANGED,
    ),
    Case(
        "If-None-Match is there, however garbled, so If-Modified-Since is not asked",
        ask(URL, If_None_Match="garbled", If_Modified_Since=SAME[0]),
        WHOLE,
    ),
    Case(
        "If-Match is there, however garbled, so If-Unmodified-Since is not asked",
        ask(URL, If_Match="garbled", If_Unmodified_Since=SAME[0]),
        CHANGED,
    ),
    Case("a false If-Match and a range", ask(URL, If_Match=OTHER_TAG, Range="bytes=0-0"), CHANGED),
    Case(
        "a false If-Match and a range beyond the end",
        ask(URL, If_Match=OTHER_TAG, Range="bytes=100-"),
        CHANGED,
    ),
    Case(
        "a true If-Match and a range",
        ask(URL, If_Match=TAG, Range="bytes=0-0"),
        part(NAME, 0, 0),
    ),
    Case(
        "a true If-Match and a range beyond the end",
        ask(URL, If_Match=TAG, Range="bytes=100-"),
        unsatisfiable(NAME),
    ),
    Case("If-None-Match and a range", ask(URL, If_None_Match=TAG, Range="bytes=0-0"), NOT_CHANGED),
    Case(
        "a true If-None-Match and a range",
        ask(URL, If_None_Match=OTHER_TAG, Range="bytes=0-0"),
        part(NAME, 0, 0),
    ),
    Case(
        "If-Modified-Since and a range beyond the end",
        ask(URL, If_Modified_Since=SAME[0], Range="bytes=100-"),
        NOT_CHANGED,
    ),
    Case(
        "If-Unmodified-Since and a range",
        ask(URL, If_Unmodified_Since=SAME[0], Range="bytes=-1"),
        part(NAME, 99, 99),
    ),
    Case("a refusal has no preconditions", ask("/files/nothing", If_None_Match="*"), MISSING),
    Case("nor has a missing file", ask("/files/nothing", If_Match="*"), MISSING),
    Case("nor a private one", ask(f"/files/{CLOSED}", If_None_Match=etag_of(CLOSED)), MISSING),
    Case("nor a bad token", ask(f"{URL}?token=bad", If_None_Match=TAG), BAD_TOKEN),
]
