"""Ranges (RFC 9110 section 14)."""

from tests.support.http_cases.answers import (
    BAD_TOKEN,
    MISSING,
    NOT_ALLOWED,
    Case,
    Request,
    ask,
    part,
    unsatisfiable,
    whole,
)
from tests.support.http_cases.targets import (
    BY_NGINX,
    CHUNKED,
    CLOSED,
    EMPTY,
    NAME,
    SIGNED,
    URL,
    WHOLE,
)

_SATISFIABLE = {
    "bytes=0-0": (0, 0),
    "bytes=-1": (99, 99),
    "bytes=99-99": (99, 99),
    "bytes=0-": (0, 99),
    "bytes=99-": (99, 99),
    "bytes=10-19": (10, 19),
    "bytes=0-99": (0, 99),
    "bytes=0-100": (0, 99),
    "bytes=-100": (0, 99),
    "bytes=-101": (0, 99),
    "bytes=-5000": (0, 99),
    "bytes=50-5000": (50, 99),
    "bytes=007-008": (7, 8),
    "BYTES=0-0": (0, 0),
    "bytes=0-0,": (0, 0),
    "bytes=,0-0": (0, 0),
    "bytes=, ,0-0 , ,": (0, 0),
    "bytes=0-0\t,\t": (0, 0),
    f"bytes=0-{'9' * 30}": (0, 99),
    f"bytes=-{'9' * 30}": (0, 99),
    f"bytes=5-{2**63}": (5, 99),
    f"bytes={'0' * 30}1-1": (1, 1),
}

_UNSATISFIABLE = (
    "bytes=-0",
    "bytes=-000",
    "bytes=100-",
    "bytes=100-100",
    "bytes=5000-6000",
    f"bytes={'9' * 30}-",
    f"bytes={2**64}-{2**64}",
    f"bytes={'9' * 4000}-",
)

_IGNORED = (
    "bytes=50-40",
    "bytes=abc",
    "bytes=a-b",
    "bytes=",
    "bytes=,",
    "bytes=-",
    "bytes",
    "bytes 0-0",
    "bytes:0-0",
    "bytes =0-0",
    "bytes==0-0",
    "=0-0",
    "0-0",
    "",
    "items=0-1",
    "seconds=1-2",
    "none=0-0",
    "bytes=--5",
    "bytes=0--5",
    "bytes=+1-+5",
    "bytes=1_0-2_0",
    "bytes=0x0-0x5",
    "bytes=1.0-2.0",
    "bytes=1e1-2e1",
    "bytes=0 - 0",
    "bytes=0-0;",
    "bytes=0-0 1",
    "bytes=0-1-2",
    "bytes=0",
    "bytes=*",
    "bytes=0-*",
    "bytes=0-0,2-2",
    "bytes=0-0,0-0",
    "bytes=0-0,-1",
    "bytes=0-0,1000-",
    "bytes=0-0,abc",
    "bytes=1000-,2000-",
    f"bytes={','.join(['0-'] * 1000)}",
    f"bytes={','.join(f'{n}-{n}' for n in range(100))}",
    f"bytes={' ' * 5000}0-0",
    f"bytes={'0' * 5000}-0",
    f"bytes=0-{'9' * 5000}",
)

_BORDERS = {
    "0-4095": (0, 4095),
    "4095-4096": (4095, 4096),
    "4096-8191": (4096, 8191),
    "4096-4096": (4096, 4096),
    "4097-8190": (4097, 8190),
    "8191-8192": (8191, 8192),
    "1-12286": (1, 12286),
    "4000-9000": (4000, 9000),
    "4096-": (4096, 12387),
    "12287-12288": (12287, 12288),
    "12288-": (12288, 12387),
    "12387-": (12387, 12387),
    "0-12387": (0, 12387),
    "-100": (12288, 12387),
    "-101": (12287, 12387),
    "-12388": (0, 12387),
}

CASES = [
    *(
        Case(f"Range: {header[:40]}", ask(URL, Range=header), part(NAME, *ends))
        for header, ends in _SATISFIABLE.items()
    ),
    *(
        Case(f"Range beyond the end: {header[:40]}", ask(URL, Range=header), unsatisfiable(NAME))
        for header in _UNSATISFIABLE
    ),
    *(
        Case(f"Range that is none: {header[:40]}", ask(URL, Range=header), WHOLE)
        for header in _IGNORED
    ),
    Case("Range in Arabic digits", ask(URL, Range=b"bytes=\xd9\xa0-\xd9\xa5"), WHOLE),
    *(
        Case(
            f"Range across chunks: {header}",
            ask(f"/files/{CHUNKED}", Range=f"bytes={header}"),
            part(CHUNKED, *ends),
        )
        for header, ends in _BORDERS.items()
    ),
    Case(
        "Range behind the last chunk",
        ask(f"/files/{CHUNKED}", Range="bytes=12388-"),
        unsatisfiable(CHUNKED),
    ),
    *(
        Case(
            f"Range of an empty file: {header}",
            ask(f"/files/{EMPTY}", Range=header),
            whole(EMPTY),
        )
        for header in ("bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-")
    ),
    Case("HEAD has no range", ask(URL, "HEAD", Range="bytes=0-0"), WHOLE),
    Case("nor one beyond the end", ask(URL, "HEAD", Range="bytes=100-"), WHOLE),
    Case(
        "Range of a private file",
        ask(SIGNED, Range="bytes=10-19"),
        part(CLOSED, 10, 19, signed=True),
    ),
    Case("Range beyond a private file", ask(SIGNED, Range="bytes=100-"), unsatisfiable(CLOSED)),
    Case("no Range in a missing file", ask("/files/nothing", Range="bytes=0-0"), MISSING),
    Case("nor in a private one", ask(f"/files/{CLOSED}", Range="bytes=100-"), MISSING),
    Case("nor with a bad token", ask(f"{URL}?token=bad", Range="bytes=100-"), BAD_TOKEN),
    Case("nor in a refused method", ask(URL, "POST", Range="bytes=100-"), NOT_ALLOWED),
    Case(
        "Range in two lines",
        Request("GET", URL, (("Range", "bytes=0-0"), ("Range", "bytes=1-1"))),
        WHOLE,
        rejected_by=BY_NGINX,
    ),
]
