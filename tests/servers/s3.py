"""S3 as moto imitates it, in a separate process."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from tests.servers.process import LOOPBACK, ServerProcess, StartFailed, free_port
from tests.servers.server import Server
from tests.servers.unavailable import Unavailable


class S3Server(Server):
    """An empty server, for django-storages."""

    def __init__(self, directory: Path) -> None:
        """Start a server whose log is in this directory, which is made.

        Raises:
            Unavailable: moto or django-storages is not installed, or the server doesn't start.

        """
        for module in ("moto", "storages", "boto3"):
            if importlib.util.find_spec(module) is None:
                raise Unavailable(f"{module} is not installed (pip install '.[test]')")
        directory.mkdir()
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self._process = ServerProcess(
            [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)],
            log=directory / "log",
        )
        try:
            self._process.wait_until(lambda: self._process.listens(port))
        except StartFailed as error:
            raise Unavailable(f"moto does not start: {error}") from error

    def options(self, bucket: str) -> dict[str, Any]:
        """Make a bucket, and return the options of a storage in it."""
        # Only here: the module must be importable without boto3.
        import boto3

        access = {"region_name": "us-east-1", "endpoint_url": self.url}
        client = boto3.client(
            "s3", aws_access_key_id="key", aws_secret_access_key="secret", **access
        )
        client.create_bucket(Bucket=bucket)
        client.close()
        return {"bucket_name": bucket, "access_key": "key", "secret_key": "secret", **access}
