"""Paths, most of which lead nowhere."""

from tests.support.http_cases.answers import MISSING, NOT_OURS_404, Case, ask
from tests.support.http_cases.targets import BY_NGINX, WHOLE

CASES = [
    *(
        Case(f"no such path: {path[-40:]}", ask(path), MISSING, rejected_by=BY_NGINX)
        for path in (
            "/files/nothing",
            "/files/open",
            "/files/open/",
            "/files//open/hundred.bin",
            "/files/open//hundred.bin",
            "/files/./open/hundred.bin",
            "/files/open/./hundred.bin",
            "/files/open/hundred.bin/",
            "/files/open/hundred.bin/.",
            "/files/open/hundred.bin%00",
            "/files/%00",
            "/files/open/hundred.bin%00.txt",
            "/files/open%2f%2fhundred.bin",
            "/files/open%2f..%2fopen%2fhundred.bin",
            "/files/open/..%2fopen/hundred.bin",
            "/files/..%2f..%2fetc%2fpasswd",
            "/files/%2e%2e/files/open/hundred.bin",
            "/files/open/%2e%2e/open/hundred.bin",
            "/files/open/../open/hundred.bin",
            "/files/%2e/open/hundred.bin",
            "/files/..",
            "/files/.",
            "/files/%2e%2e",
            "/files/open%5chundred.bin",
            "/files/open\\hundred.bin",
            "/files/..%5c..%5cwindows",
            "/files/%2fetc%2fpasswd",
            "/files/%2f%2fevil.example%2fx",
            "/files/open/hundred.bin%09",
            "/files/open/hundred.bin%7f",
            "/files/open/hundred.bin%c2%85",
            "/files/open/hundred.bin%20",
            "/files/%20open/hundred.bin",
            "/files/open/hundred.bin.",
            "/files/OPEN/HUNDRED.BIN",
            "/files/open/%c0%aehundred.bin",
            "/files/%c0%ae%c0%ae/open/hundred.bin",
            "/files/open%c0%afhundred.bin",
            "/files/%ff",
            "/files/%ff%fe",
            "/files/%ed%a0%80",
            "/files/%f4%90%80%80",
            "/files/%252e%252e/open/hundred.bin",
            "/files/open/hundred.bin%3ftoken=x",
            "/files/open/hundred.bin;x=1",
            "/files/open/h%E4%B8%ADndred.bin",
            "/files/%",
            "/files/%zz",
            f"/files/{'x' * 513}",
            f"/files/{'x' * 3000}",
            f"/files/{'x/' * 1000}x",
            f"/files/{'%c3%a9' * 513}",
        )
    ),
    *(
        Case(f"a path that is not ours: {path}", ask(path), NOT_OURS_404)
        for path in ("/files", "/files/", "/files/a%0ab", "/files/%0d%0aSet-Cookie:x=1", "/other")
    ),
    *(
        Case(f"another spelling of the same path: {path}", ask(path), WHOLE)
        for path in ("/files/open%2fhundred.bin", "/files/%6fpen/h%75ndred.bin")
    ),
    Case("the path of another storage", ask("/invoices/open/hundred.bin"), MISSING),
]
