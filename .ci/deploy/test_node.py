"""`deploy/kafka/node.sh`: the steps that a server takes, in their order."""

import hashlib
import ssl
import socket
import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import KAFKA


def topic(node, name):
    admin = AdminClient(node.client())
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(60)


def produce(node, name, value):
    delivered = []
    producer = Producer(node.client(acks="all"))
    producer.produce(name, value, on_delivery=lambda error, message: delivered.append(error))
    assert producer.flush(60) == 0
    assert delivered == [None]


def consume(node, name, count):
    consumer = Consumer(node.client(group_id="deploy"))
    consumer.assign([TopicPartition(name, 0, 0)])
    messages = consumer.consume(count, timeout=60)
    consumer.close()
    return [message.value() for message in messages]


def refusal(config):
    """The first error that a client hears who asks for metadata."""
    errors = []
    client = AdminClient({**config, "error_cb": errors.append})
    until = time.monotonic() + 60
    while not errors and time.monotonic() < until:
        client.poll(1)
    return {error.code() for error in errors}


def test_the_jars_are_those_of_the_tests(libs):
    listed = {line.split()[1].rsplit("/", 1)[1]: line.split()[0] for line in (KAFKA / "libs.sha256").read_text().splitlines()}
    here = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in libs.glob("*.jar")}
    assert "kafka_2.13-4.1.1.jar" in listed
    assert listed.items() <= here.items()


def test_another_jar_is_refused(fetched):
    home = fetched.root / "opt/kafka"
    jar = next(fetched.repository.rglob("kafka-clients-*.jar"))
    whole = jar.read_bytes()
    installed = home / "libs" / jar.name
    installed.unlink()
    jar.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    done = fetched.run("fetch", check=False)
    assert done.returncode != 0 and jar.name in done.stdout + done.stderr
    assert not installed.exists()
    jar.write_bytes(whole)
    fetched.run("fetch")
    assert installed.read_bytes() == whole


def test_a_client_with_password_and_certificate_produces_and_consumes(node):
    topic(node, "prices")
    produce(node, "prices", b"one")
    assert consume(node, "prices", 1) == [b"one"]


def test_its_certificate_bears_its_name(node):
    context = ssl.create_default_context(cafile=str(node.ca))
    with socket.create_connection(("localhost", node.port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            assert tls.version() in ("TLSv1.2", "TLSv1.3")
    with socket.create_connection(("localhost", node.port)) as plain:
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(plain, server_hostname="elsewhere")


def test_nobody_else_gets_in(node):
    assert KafkaError._AUTHENTICATION in refusal(node.client(sasl_password="wrong"))
    assert KafkaError._SSL in refusal({**node.client(), "ssl.ca.location": "/etc/ssl/certs/ca-certificates.crt"})
    with pytest.raises(OSError):
        # Neither the controller nor the listener without a password is reached by another address of this machine.
        socket.create_connection(("127.0.0.2", node.internal), 5)


def test_all_is_there_after_a_restart_and_under_another_name(node):
    topic(node, "kept")
    produce(node, "kept", b"before")
    authority = node.ca.read_bytes()
    certificate = (node.root / "var/lib/kafka/tls/node.pem").read_bytes()
    node.stop()
    node.start()
    assert consume(node, "kept", 1) == [b"before"]
    assert (node.root / "var/lib/kafka/tls/node.pem").read_bytes() == certificate
    node.stop()
    node.name("127.0.0.1")
    node.start()
    assert node.ca.read_bytes() == authority
    assert consume(node, "kept", 1) == [b"before"]
    assert (node.root / "var/lib/kafka/tls/node.pem").read_bytes() != certificate


def test_the_password_can_be_changed(node):
    new = "battery staple"
    other = node.root / "new.json"
    other.write_text('{"username": "tickertape", "password": "%s"}' % new)
    node.run("password", other)
    topic_names = AdminClient(node.client(sasl_password=new)).list_topics(timeout=60).topics
    assert "kept" in topic_names
    assert KafkaError._AUTHENTICATION in refusal(node.client())
