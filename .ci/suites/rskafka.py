"""rskafka: the tests of a client in pure Rust. Those for SASL, SOCKS5 and Java skip themselves without a server for it."""

import crates

NAME = "rskafka"
VERSION = "0.6.0"
URL = "https://crates.io/crates/rskafka"
ABOUT = "pure Rust"
PROPERTIES = {"auto.create.topics.enable": "false"}


def prepare(place):
    crates.prepare(place, NAME, VERSION, newer=["rsasl"])


def run(place, bootstrap, only):
    env = {"TEST_INTEGRATION": "1", "TEST_BROKER_IMPL": "kafka", "KAFKA_CONNECT": bootstrap}
    return crates.run(place, only, env)
