"""rdkafka: the tests of the Rust binding of librdkafka."""

import crates

NAME = "rdkafka"
VERSION = "0.39.0"
URL = "https://crates.io/crates/rdkafka"
ABOUT = "librdkafka, Rust"
# As in its docker-compose.yaml: some tests know the broker's number and address.
PROPERTIES = {"node.id": "0", "num.partitions": "3"}
PORT = 9092


def prepare(place):
    crates.prepare(place, NAME, VERSION)


def run(place, bootstrap, only):
    return crates.run(place, only, {"KAFKA_HOST": bootstrap})
