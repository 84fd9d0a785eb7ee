"""The settings of a web server whose table has a replica."""

import json
import os

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import DATABASES

#: The environment variable with the replica, as DATABASES has it.
REPLICA_VARIABLE = "DBSTORAGE_TEST_REPLICA"

DATABASES["replica"] = json.loads(os.environ.get(REPLICA_VARIABLE, "{}"))
DATABASE_ROUTERS = ["tests.support.replicas.ReplicaRouter"]
