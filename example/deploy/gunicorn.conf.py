"""gunicorn --config deploy/gunicorn.conf.py project.wsgi (started in example/)."""

from gunicorn.arbiter import Arbiter

from secure_dbstorage.redaction import TokenFilter

bind = "unix:/run/cloakroom/gunicorn.sock"

# Threads, not the sync worker: gunicorn kills that one after `timeout` seconds, however well a
# download is going.
worker_class = "gthread"
workers = 2
threads = 8
timeout = 60

# How long a download may continue after the server was told to stop, or to load new code.
graceful_timeout = 120

# A name of 512 characters can take up to 6 KB in a URL. The default, 4,094 bytes, would refuse it.
limit_request_line = 8190

# No access log here: nginx keeps one without query strings, and gunicorn's would hold the tokens.
accesslog = None

# The service may not write into its home.
control_socket_disable = True


def on_starting(server: Arbiter) -> None:
    """Remove tokens from the error log, which shows whatever gunicorn can't read as a request."""
    server.log.error_log.addFilter(TokenFilter())
