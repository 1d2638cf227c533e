// The topics that node-rdkafka's run_docker.sh makes before its tests.
const { AdminClient } = require("node-rdkafka");

const client = AdminClient.create({ "metadata.broker.list": process.env.KAFKA_HOST });
const topics = ["test", "test2", "test3", "test4", "test5", "test6"];
let left = topics.length;
for (const topic of topics) {
  client.createTopic({ topic, num_partitions: 1, replication_factor: 1 }, (error) => {
    if (error) throw error;
    left -= 1;
    if (left === 0) client.disconnect();
  });
}
