import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The word count of Kafka Streams' documentation, exactly once, and what it takes to try it.
 *
 *   run BOOTSTRAP STATE_DIR     counts the words of the topic "words" into the topic "counts" until it is ended. Prints
 *                               "running", "processed N" (records so far), "restored N" (records of a changelog)
 *   feed BOOTSTRAP FROM TO      writes these lines to "words"; line I has the words w(I%7), w(I%11) and w(I%13)
 *   committed BOOTSTRAP         waits until a count is committed
 *   check BOOTSTRAP TOTAL       reads "counts" under read_committed until they are counts of so many words, and prints each
 *                               word with its count. Each count of a word has to be one more than the one before it
 */
public class WordCount {
    /** How long what has to happen may take on a busy machine. */
    static final Duration PATIENCE = Duration.ofSeconds(180);

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "run" -> run(args[1], args[2]);
            case "feed" -> feed(args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]));
            case "committed" -> committed(args[1]);
            case "check" -> check(args[1], Long.parseLong(args[2]));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static void run(String bootstrap, String stateDir) throws Exception {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "word-count");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        config.put(StreamsConfig.STATE_DIR_CONFIG, stateDir);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        // Every count is written, so that a word that is counted twice shows.
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        // What a killed one leaves behind is not waited for longer than need be.
        config.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
        config.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 1000);
        config.put(StreamsConfig.consumerPrefix("max.poll.records"), 50);
        config.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), 5000);

        AtomicLong processed = new AtomicLong();
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream("words")
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word)
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("store"))
            .toStream()
            .peek((word, count) -> say("processed " + processed.incrementAndGet()))
            .to("counts", Produced.with(Serdes.String(), Serdes.Long()));

        KafkaStreams streams = new KafkaStreams(builder.build(), config);
        CountDownLatch ended = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) say("running");
            if (now == KafkaStreams.State.ERROR) ended.countDown();
        });
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setGlobalStateRestoreListener(new StateRestoreListener() {
            @Override public void onRestoreStart(TopicPartition partition, String store, long from, long to) {}
            @Override public void onBatchRestored(TopicPartition partition, String store, long end, long records) {}
            @Override public void onRestoreEnd(TopicPartition partition, String store, long records) {
                say("restored " + records);
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(30))));
        streams.start();
        ended.await();
        System.exit(1);
    }

    static void feed(String bootstrap, int from, int to) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "acks", "all", "linger.ms", 5);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int line = from; line < to; line++) {
                String words = "w" + line % 7 + " w" + line % 11 + " w" + line % 13;
                producer.send(new ProducerRecord<>("words", "key" + line % 5, words));
            }
            producer.flush();
        }
        say("fed");
    }

    /** A consumer of the counts that are committed, from the first on. */
    static KafkaConsumer<String, Long> counts(String bootstrap) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed");
        var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new LongDeserializer());
        List<TopicPartition> partitions = consumer.partitionsFor("counts").stream()
            .map(info -> new TopicPartition(info.topic(), info.partition()))
            .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        return consumer;
    }

    static void committed(String bootstrap) {
        try (var consumer = counts(bootstrap)) {
            long until = System.nanoTime() + PATIENCE.toNanos();
            while (consumer.poll(Duration.ofMillis(200)).isEmpty()) {
                if (System.nanoTime() > until) throw new IllegalStateException("nothing is committed");
            }
        }
    }

    static void check(String bootstrap, long total) {
        try (var consumer = counts(bootstrap)) {
            Map<String, Long> counts = new TreeMap<>();
            long until = System.nanoTime() + PATIENCE.toNanos();
            long counted = 0;
            while (counted < total && System.nanoTime() < until) {
                for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(200))) {
                    long before = counts.getOrDefault(record.key(), 0L);
                    if (record.value() != before + 1) {
                        throw new IllegalStateException(record + " after " + before);
                    }
                    counts.put(record.key(), record.value());
                    counted++;
                }
            }
            // Whatever is beyond would have been counted twice.
            for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofSeconds(2))) {
                throw new IllegalStateException(record + " after all of " + total);
            }
            counts.forEach((word, count) -> say(word + " " + count));
        }
    }

    /** A whole line at once, from whichever thread. */
    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
