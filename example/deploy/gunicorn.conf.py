"""gunicorn --config deploy/gunicorn.conf.py project.wsgi (started in example/)."""

from secure_dbstorage.redaction import TokenFilter

bind = "unix:/run/cloakroom/gunicorn.sock"

# Threads, not the sync worker: that one is killed after `timeout` seconds, however well a
# download is going.
worker_class = "gthread"
workers = 2
threads = 8
timeout = 60

# No access log here: nginx keeps one without query strings, and gunicorn's would hold the tokens.
accesslog = None

# The service may not write into its home.
control_socket_disable = True


def on_starting(server):
    """Take tokens out of the error log: what gunicorn can't read as a request, it shows there."""
    server.log.error_log.addFilter(TokenFilter())
