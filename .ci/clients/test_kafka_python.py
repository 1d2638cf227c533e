"""kafka-python: produce, group consume, admin."""

import kafka
import kafka.admin


def test_produce_and_group_consume(bootstrap, topic):
    producer = kafka.KafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="gzip")
    futures = [producer.send(topic, key=b"k%d" % (n % 5), value=b"value %d" % n) for n in range(2000)]
    producer.flush()
    assert all(future.get(timeout=60).offset >= 0 for future in futures)
    producer.close()

    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"group-{topic}",
        auto_offset_reset="earliest",
        consumer_timeout_ms=30_000,
    )
    values = set()
    for message in consumer:
        values.add(message.value)
        if len(values) == 2000:
            break
    consumer.commit()
    assert values == {b"value %d" % n for n in range(2000)}
    partition = next(iter(consumer.assignment()))
    assert consumer.committed(partition) == consumer.position(partition)
    consumer.close()


def test_offsets_by_time_and_ends(bootstrap, topic):
    producer = kafka.KafkaProducer(bootstrap_servers=bootstrap)
    for n in range(10):
        producer.send(topic, value=b"%d" % n, partition=0, timestamp_ms=1_000_000 + n)
    producer.flush()
    producer.close()
    consumer = kafka.KafkaConsumer(bootstrap_servers=bootstrap)
    partition = kafka.TopicPartition(topic, 0)
    assert consumer.beginning_offsets([partition]) == {partition: 0}
    assert consumer.end_offsets([partition]) == {partition: 10}
    assert consumer.offsets_for_times({partition: 1_000_004})[partition].offset == 4
    consumer.close()


def test_admin(bootstrap, topic):
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([kafka.admin.NewTopic(topic, num_partitions=2, replication_factor=1)])
    assert topic in admin.list_topics()
    admin.create_partitions({topic: kafka.admin.NewPartitions(total_count=4)})
    described = admin.describe_topics([topic])
    assert len(described[0]["partitions"]) == 4
    assert isinstance(admin.list_groups(), list)
    admin.delete_topics([topic])
    assert topic not in admin.list_topics()
    admin.close()
