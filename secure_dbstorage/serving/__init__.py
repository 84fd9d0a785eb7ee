"""From a request to the bytes of a file, or a refusal.

The logger ``secure_dbstorage.access`` has one record for each request, and nothing else. Problems,
such as a cache that is down or a hook that forgets to answer, go to ``secure_dbstorage.serving``.
"""
