// KafkaJS: idempotent and transactional produce, group consume with each codec that it brings or takes, admin.
const assert = require("node:assert");
const { randomUUID } = require("node:crypto");
const { test } = require("node:test");
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require("kafkajs");

CompressionCodecs[CompressionTypes.Snappy] = require("kafkajs-snappy");

const kafka = new Kafka({ brokers: [process.env.BOOTSTRAP_SERVERS], logLevel: logLevel.NOTHING, retry: { retries: 5 } });
const unique = (name) => `kafkajs-${name}-${randomUUID()}`;

async function using(client, work) {
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.disconnect();
  }
}

const create = (topic, numPartitions) =>
  using(kafka.admin(), (admin) =>
    admin.createTopics({ topics: [{ topic, numPartitions, configEntries: [{ name: "retention.ms", value: "60000" }] }] }),
  );

const messages = (prefix, count) =>
  Array.from({ length: count }, (_, n) => ({ key: `k${n % 7}`, value: `${prefix} ${n}`, headers: { n: `${n}` } }));

// Values that a group reads from the topic; `wanted` of them are there for it. It commits them as it leaves.
async function groupReads(groupId, topic, wanted) {
  const values = [];
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  await using(consumer, async () => {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      const eachMessage = async ({ message }) => {
        if (values.push(message.value.toString()) === wanted) resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
    await consumer.stop();
  });
  return values.sort();
}

const committed = (groupId, topic) =>
  using(kafka.admin(), async (admin) => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
  });

test("a group reads each codec", { timeout: 60_000 }, async () => {
  const [topic, group] = [unique("topic"), unique("group")];
  await create(topic, 3);
  const expected = [];
  for (const codec of ["None", "GZIP", "Snappy"]) {
    const sent = messages(codec, 200);
    await using(kafka.producer({ idempotent: true }), (producer) =>
      producer.send({ topic, compression: CompressionTypes[codec], messages: sent, acks: -1 }),
    );
    expected.push(...sent.map(({ value }) => value));
  }
  assert.deepStrictEqual(await groupReads(group, topic, 600), expected.sort());
  assert.strictEqual(await committed(group, topic), 600);
  await using(kafka.producer(), (producer) => producer.send({ topic, messages: messages("later", 1) }));
  assert.deepStrictEqual(await groupReads(group, topic, 1), ["later 0"]);
  assert.strictEqual(await committed(group, topic), 601);
});

test("transactions", { timeout: 60_000 }, async () => {
  const [source, target, group] = [unique("source"), unique("target"), unique("group")];
  await create(source, 1);
  await create(target, 2);
  const offsets = { consumerGroupId: group, topics: [{ topic: source, partitions: [{ partition: 0, offset: "10" }] }] };
  const settings = { transactionalId: unique("id"), maxInFlightRequests: 1, idempotent: true };
  await using(kafka.producer(settings), async (producer) => {
    const aborted = await producer.transaction();
    await aborted.send({ topic: target, messages: messages("aborted", 10) });
    await aborted.sendOffsets(offsets);
    await aborted.abort();
    assert.strictEqual(await committed(group, source), 0);
    for (let n = 0; n < 3; n += 1) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: target, messages: messages(`committed ${n}`, 10) });
      await transaction.sendOffsets(offsets);
      await transaction.commit();
    }
    assert.strictEqual(await committed(group, source), 10);
    const values = await groupReads(unique("reader"), target, 30);
    assert.ok(values.every((value) => value.startsWith("committed")), values.join());
    await using(kafka.producer(settings), async (next) => {
      const theirs = await next.transaction();
      await assert.rejects(async () => {
        const ours = await producer.transaction();
        await ours.send({ topic: target, messages: messages("fenced", 1) });
      });
      await theirs.abort();
    });
  });
});

test("admin", { timeout: 60_000 }, async () => {
  const [topic, group] = [unique("topic"), unique("group")];
  await create(topic, 2);
  await using(kafka.admin(), async (admin) => {
    assert.strictEqual(await admin.createTopics({ topics: [{ topic }] }), false);
    await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    assert.strictEqual(topics[0].partitions.length, 4);
    const resource = { type: 2, name: topic };
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: "retention.ms", value: "120000" }] }] });
    const configs = await admin.describeConfigs({ includeSynonyms: false, resources: [{ ...resource, configNames: ["retention.ms"] }] });
    assert.strictEqual(configs.resources[0].configEntries[0].configValue, "120000");
    await using(kafka.producer(), (producer) => producer.send({ topic, messages: messages("value", 20) }));
    const offsets = await admin.fetchTopicOffsets(topic);
    assert.strictEqual(offsets.reduce((sum, { offset }) => sum + Number(offset), 0), 20);
    await groupReads(group, topic, 20);
    const { groups } = await admin.listGroups();
    assert.ok(groups.some(({ groupId }) => groupId === group));
    const described = await admin.describeGroups([group]);
    assert.strictEqual(described.groups[0].state, "Empty");
    await admin.deleteGroups([group]);
    await admin.deleteTopics({ topics: [topic] });
    assert.ok(!(await admin.listTopics()).includes(topic));
  });
});
