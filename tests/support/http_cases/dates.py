"""Dates around the one at which the files were modified, in the three formats of HTTP."""

from tests.support.http_cases.files import LAST_MODIFIED

SAME = (LAST_MODIFIED, "Thursday, 29-Feb-24 12:30:45 GMT", "Thu Feb 29 12:30:45 2024")

EARLIER = (
    "Thu, 29 Feb 2024 12:30:44 GMT",
    "Thursday, 29-Feb-24 12:30:44 GMT",
    "Sat Feb  3 12:30:45 2024",
)

LATER = (
    "Thu, 29 Feb 2024 12:30:46 GMT",
    "Friday, 01-Mar-24 12:30:45 GMT",
    "Fri Mar  1 12:30:45 2024",
)

NO_DATES = (
    "yesterday",
    "",
    "0",
    "1709209845",
    "2024-02-29T12:30:45Z",
    "Thu, 29 Feb 2024 12:30:45 +0000",
    "Thu, 31 Feb 2024 12:30:45 GMT",
    "Thu, 29 Feb 2024 25:30:45 GMT",
    '"Thu, 29 Feb 2024 12:30:45 GMT"',
    "Thu, 29 Feb 2024 12:30:45 GMT, Thu, 29 Feb 2024 12:30:45 GMT",
)

EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"

DISTANT_PAST = "Mon, 01 Jan 0001 00:00:00 GMT"

DISTANT_FUTURE = "Fri, 31 Dec 9999 23:59:59 GMT"
