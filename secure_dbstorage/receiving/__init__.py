"""From a request with a token for uploads to rows, and from complete rows to a file.

A file grows under a nameless first row, so nothing serves, lists or prunes half of it. It gets its
name, and with it everything that a file has, by one update at the end.
"""
