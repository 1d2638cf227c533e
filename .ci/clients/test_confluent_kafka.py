"""confluent-kafka (librdkafka): produce, group consume, admin."""

import confluent_kafka
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)


def test_idempotent_produce_and_group_consume(bootstrap, topic):
    acknowledged = []
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": "zstd"})
    for n in range(5000):
        producer.produce(topic, key=f"k{n % 5}", value=f"value {n}", on_delivery=lambda error, _: acknowledged.append(error))
        producer.poll(0)
    assert producer.flush(60) == 0
    assert acknowledged == [None] * 5000

    settings = {"bootstrap.servers": bootstrap, "group.id": f"group-{topic}", "auto.offset.reset": "earliest"}
    consumer = confluent_kafka.Consumer({**settings, "enable.auto.commit": False})
    consumer.subscribe([topic])
    values = []
    while len(values) < 5000:
        messages = consumer.consume(1000, timeout=30)
        assert messages, f"nothing more after {len(values)} messages"
        values += [message.value().decode() for message in messages if message.error() is None]
    assert sorted(values) == sorted(f"value {n}" for n in range(5000))
    consumer.commit(asynchronous=False)
    committed = consumer.committed(consumer.assignment(), timeout=30)
    assert sum(partition.offset for partition in committed) == 5000
    consumer.close()


def test_admin(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})

    def done(futures):
        return [future.result(timeout=60) for future in futures.values()]

    done(admin.create_topics([NewTopic(topic, num_partitions=2, config={"retention.ms": "60000"})]))
    assert len(admin.list_topics(topic, timeout=30).topics[topic].partitions) == 2
    done(admin.create_partitions([NewPartitions(topic, 3)]))
    assert len(admin.list_topics(topic, timeout=30).topics[topic].partitions) == 3

    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    (configs,) = done(admin.describe_configs([resource]))
    assert configs["retention.ms"].value == "60000"
    change = ConfigEntry("retention.ms", "120000", incremental_operation=AlterConfigOpType.SET)
    done(admin.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[change])]))
    (configs,) = done(admin.describe_configs([resource]))
    assert configs["retention.ms"].value == "120000"

    cluster = admin.describe_cluster().result(timeout=30)
    assert f"{cluster.controller.host}:{cluster.controller.port}" == bootstrap
    done(admin.delete_topics([topic]))
    assert topic not in admin.list_topics(timeout=30).topics


def test_credentials_are_set_described_and_removed(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    mechanism = ScramMechanism.SCRAM_SHA_512
    info = ScramCredentialInfo(mechanism, 10_000)
    admin.alter_user_scram_credentials([UserScramCredentialUpsertion(topic, info, b"password", b"salt")])[topic].result(timeout=60)

    def described():
        (future,) = admin.describe_user_scram_credentials([topic]).values()
        try:
            return [(info.mechanism, info.iterations) for info in future.result(timeout=60).scram_credential_infos]
        except confluent_kafka.KafkaException as error:
            assert error.args[0].code() == confluent_kafka.KafkaError.RESOURCE_NOT_FOUND
            return []

    # A broker of Apache Kafka's knows of them a moment after its controller has answered.
    while not described():
        pass
    assert described() == [(mechanism, 10_000)]
    admin.alter_user_scram_credentials([UserScramCredentialDeletion(topic, mechanism)])[topic].result(timeout=60)
    while described():
        pass


def test_groups_are_listed_described_and_deleted(bootstrap, topic):
    group = f"group-{topic}"
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, b"one")
    assert producer.flush(60) == 0
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    assert consumer.poll(30).value() == b"one"
    consumer.commit(asynchronous=False)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    listed = admin.list_consumer_groups().result(timeout=30)
    assert group in {found.group_id for found in listed.valid}
    described = admin.describe_consumer_groups([group])[group].result(timeout=30)
    assert described.state.name == "STABLE" and len(described.members) == 1
    consumer.close()
    admin.delete_consumer_groups([group])[group].result(timeout=30)
    listed = admin.list_consumer_groups().result(timeout=30)
    assert group not in {found.group_id for found in listed.valid}
