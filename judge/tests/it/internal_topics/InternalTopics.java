import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.MessageFormatter;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.SimpleRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter;
import org.apache.kafka.tools.consumer.OffsetsMessageFormatter;
import org.apache.kafka.tools.consumer.TransactionLogMessageFormatter;

/**
 * Does with groups and transactions what leaves records in the broker's own topics, then prints these as Apache Kafka's
 * formatters for the console consumer and the decoders of its tool that shows log files say them.
 */
public class InternalTopics {
    static final TopicPartition FIRST = new TopicPartition("orders", 0);
    static final TopicPartition SECOND = new TopicPartition("orders", 1);

    static String bootstrap;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic("orders", 2, (short) 1))).all().get();
            admin.alterConsumerGroupOffsets("plain", both(at(3, "by hand"), at(4, ""))).all().get();
            consume("classic", Map.of("group.protocol", "classic"), null);
            consume("static", Map.of("group.protocol", "classic", "group.instance.id", "one"), null);
            consume("doomed", Map.of("group.protocol", "classic"), null);
            consume("next", Map.of("group.protocol", "consumer"), null);
            consume("next-expression", Map.of("group.protocol", "consumer"), "ord.*");
            consume("next-doomed", Map.of("group.protocol", "consumer"), null);
            transact();
            admin.deleteConsumerGroupOffsets("plain", Set.of(FIRST)).all().get();
            admin.deleteConsumerGroups(List.of("doomed", "next-doomed")).all().get();
        }
        show("__consumer_offsets", new OffsetsMessageFormatter(), new GroupMetadataMessageFormatter());
        show("__transaction_state", new TransactionLogMessageFormatter());
    }

    static OffsetAndMetadata at(long offset, String metadata) {
        return new OffsetAndMetadata(offset, metadata);
    }

    /** In this order; that of Map.of is another one in each run. */
    static Map<TopicPartition, OffsetAndMetadata> both(OffsetAndMetadata first, OffsetAndMetadata second) {
        Map<TopicPartition, OffsetAndMetadata> both = new LinkedHashMap<>();
        both.put(FIRST, first);
        both.put(SECOND, second);
        return both;
    }

    /** Joins, commits, commits again, and leaves. */
    static void consume(String group, Map<String, Object> config, String expression) {
        Map<String, Object> all = new HashMap<>(config);
        all.put("bootstrap.servers", bootstrap);
        all.put("group.id", group);
        all.put("client.id", group);
        all.put("enable.auto.commit", false);
        all.put("auto.offset.reset", "earliest");
        try (Consumer<String, String> consumer =
                new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer())) {
            if (expression == null) {
                consumer.subscribe(List.of("orders"));
            } else {
                consumer.subscribe(new SubscriptionPattern(expression));
            }
            while (consumer.assignment().size() < 2) {
                consumer.poll(Duration.ofMillis(100));
            }
            consumer.commitSync(Map.of(FIRST, at(1, "one")));
            consumer.commitSync(both(at(2, "two"), at(5, "")));
        }
    }

    static void transact() {
        Map<String, Object> config = Map.of(
                "bootstrap.servers", bootstrap, "transactional.id", "deal", "transaction.timeout.ms", 50_000);
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            for (boolean commit : new boolean[] {true, false, true}) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>("orders", 0, "k", "v"));
                producer.flush();
                producer.sendOffsetsToTransaction(
                        Map.of(FIRST, at(commit ? 7 : 8, "within")), new ConsumerGroupMetadata("dealers"));
                if (commit) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
    }

    static void show(String topic, MessageFormatter... formatters) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_uncommitted");
        try (Consumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (PartitionInfo partition : consumer.partitionsFor(topic)) {
                partitions.add(new TopicPartition(topic, partition.partition()));
            }
            partitions.sort(Comparator.comparingInt(TopicPartition::partition));
            System.out.println("= " + topic + ": " + partitions.size() + " partitions, internal "
                    + consumer.listTopics().containsKey(topic));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Map<Integer, List<ConsumerRecord<byte[], byte[]>>> read = new TreeMap<>();
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    read.computeIfAbsent(record.partition(), index -> new ArrayList<>()).add(record);
                }
            }
            for (Map.Entry<Integer, List<ConsumerRecord<byte[], byte[]>>> entry : read.entrySet()) {
                System.out.println("== " + topic + "-" + entry.getKey());
                for (ConsumerRecord<byte[], byte[]> record : entry.getValue()) {
                    print(record, formatters);
                }
            }
        }
    }

    static void print(ConsumerRecord<byte[], byte[]> record, MessageFormatter... formatters) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (MessageFormatter formatter : formatters) {
            formatter.writeTo(record, new PrintStream(out, true, StandardCharsets.UTF_8));
        }
        SimpleRecord simple = new SimpleRecord(record.timestamp(), record.key(), record.value());
        Record decoded = MemoryRecords.withRecords(Compression.NONE, simple).records().iterator().next();
        Object parsed = record.topic().equals("__consumer_offsets")
                ? new kafka.tools.DumpLogSegments.OffsetsMessageParser().parse(decoded)
                : new kafka.tools.DumpLogSegments.TransactionLogMessageParser().parse(decoded);
        System.out.println(parsed);
        if (out.size() > 0) {
            System.out.println("   " + out.toString(StandardCharsets.UTF_8).strip());
        }
    }
}
