"""From a request with a token for uploads to rows, and from complete rows to a file.

A file grows behind a first row without a name, so nothing serves, lists or prunes half of it. One
update at the end gives it its name, and everything else that a file has.
"""
