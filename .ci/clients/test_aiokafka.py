"""aiokafka: idempotent and transactional produce, group consume with each codec, admin."""

import asyncio
import contextlib

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import ProducerFenced, TopicAlreadyExistsError

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
PATIENCE_S = 60


@contextlib.asynccontextmanager
async def admin_client(bootstrap):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def group_reads(bootstrap, group, topic, wanted):
    """Values that a group reads, committed; `wanted` of them are there for it."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    async with consumer:
        values = []
        async with asyncio.timeout(PATIENCE_S):
            while len(values) < wanted:
                found = await consumer.getmany(timeout_ms=1000)
                values += [message.value.decode() for messages in found.values() for message in messages]
        await consumer.commit()
        committed = [await consumer.committed(partition) or 0 for partition in consumer.assignment()]
    return values, sum(committed)


def test_a_group_reads_each_codec(bootstrap, topic):
    async def run():
        async with admin_client(bootstrap) as admin:
            await admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])
        for codec in CODECS:
            async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, compression_type=codec) as producer:
                sent = [await producer.send(topic, f"{codec} {n}".encode(), key=b"k%d" % (n % 7)) for n in range(200)]
                assert all(done.offset >= 0 for done in await asyncio.gather(*sent))
        values, committed = await group_reads(bootstrap, f"group-{topic}", topic, 1000)
        assert sorted(values) == sorted(f"{codec} {n}" for codec in CODECS for n in range(200))
        assert committed == 1000
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            await producer.send_and_wait(topic, b"later")
        assert await group_reads(bootstrap, f"group-{topic}", topic, 1) == (["later"], 1001)

    asyncio.run(run())


def test_transactions(bootstrap, topic):
    source, group = TopicPartition(f"{topic}-source", 0), f"group-{topic}"

    async def committed():
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False) as consumer:
            consumer.assign([source])
            return await consumer.committed(source)

    async def run():
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            for n in range(10):
                await producer.send_and_wait(source.topic, b"in %d" % n, partition=0)
        first = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"id-{topic}")
        second = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"id-{topic}")
        async with first:
            await first.begin_transaction()
            await first.send_and_wait(topic, b"aborted")
            await first.send_offsets_to_transaction({source: 10}, group)
            await first.abort_transaction()
            assert await committed() is None
            for n in range(3):
                async with first.transaction():
                    await first.send_and_wait(topic, b"committed %d" % n)
                    await first.send_offsets_to_transaction({source: 10}, group)
            assert await committed() == 10
            values, _ = await group_reads(bootstrap, f"reader-{topic}", topic, 3)
            assert values == [f"committed {n}" for n in range(3)]
            async with second:
                with pytest.raises(ProducerFenced):
                    async with first.transaction():
                        await first.send_and_wait(topic, b"fenced")

    asyncio.run(run())


def test_admin(bootstrap, topic):
    async def run():
        async with admin_client(bootstrap) as admin:
            new = NewTopic(topic, num_partitions=2, replication_factor=1, topic_configs={"retention.ms": "60000"})
            await admin.create_topics([new])
            response = await admin.create_topics([new])
            assert response.topic_errors[0][1] == TopicAlreadyExistsError.errno
            await admin.create_partitions({topic: NewPartitions(4)})
            (described,) = await admin.describe_topics([topic])
            assert len(described["partitions"]) == 4
            async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
                await producer.send_and_wait(topic, b"one")
            await group_reads(bootstrap, f"group-{topic}", topic, 1)
            assert (f"group-{topic}", "consumer") in await admin.list_consumer_groups()
            await admin.delete_topics([topic])
            assert topic not in await admin.list_topics()

    asyncio.run(run())
