"""What kafka-python's tests import and its source distribution does not have. Its tests are as they were published.

`KAFKA_URI` makes its fixtures take a broker that runs already, an `ExternalService`. The package `test` is without its
`__init__.py`: unless it is there first, Python's own `test` is found in its stead.
"""

import pathlib
import sys
import types

package = types.ModuleType("test")
package.__path__ = [str(pathlib.Path.cwd() / "test")]
sys.modules["test"] = package


class ExternalService:
    """A broker that somebody else starts and stops."""

    def __init__(self, host, port):
        self.host, self.port = host, port

    def open(self):
        pass

    def close(self):
        pass

    def dump_logs(self):
        pass


class SpawnedService:
    """Apache Kafka from a directory of its own, which is not there."""

    def __init__(self, *arguments):
        raise FileNotFoundError("no Kafka to start: KAFKA_URI names the broker")


service = types.ModuleType("test.service")
service.ExternalService = ExternalService
service.SpawnedService = SpawnedService
sys.modules["test.service"] = package.service = service
