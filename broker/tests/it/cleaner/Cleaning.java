import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Timer;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Lets Apache Kafka's own Cleaner clean logs. A line in: the log's directory, the first dirty offset, where the last segment
 * begins, the time, delete.retention.ms. Lines out: each batch that is left before the last segment, and after it its
 * records; then a line "done".
 */
public class Cleaning {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] fields = line.split("\t");
            clean(new File(fields[0]), Long.parseLong(fields[1]), Long.parseLong(fields[2]), Long.parseLong(fields[3]), fields[4]);
            System.out.println("done");
        }
    }

    static void clean(File directory, long firstDirty, long end, long now, String deleteRetentionMs) throws Exception {
        Time time = new Stopped(now);
        LogConfig config = new LogConfig(Map.of("cleanup.policy", "compact", "delete.retention.ms", deleteRetentionMs,
            "segment.bytes", "1048576"));
        KafkaScheduler scheduler = new KafkaScheduler(1);
        UnifiedLog log = UnifiedLog.create(directory, config, 0, 0, scheduler, new BrokerTopicStats(), time,
            Integer.MAX_VALUE, new ProducerStateManagerConfig(Integer.MAX_VALUE, false), Integer.MAX_VALUE,
            new LogDirFailureChannel(1), false, Optional.empty());
        log.updateHighWatermark(log.logEndOffset());
        scheduler.startup();
        Cleaner cleaner = new Cleaner(0, new SkimpyOffsetMap(1 << 20), 1 << 20, 1 << 22, 0.9,
            new Throttler(Double.MAX_VALUE, 300, "x", "x", time), time, partition -> { });
        cleaner.doClean(new LogToClean(log, firstDirty, end, false), now);
        for (LogSegment segment : log.logSegments()) {
            for (RecordBatch batch : segment.log().batches()) {
                if (batch.baseOffset() >= end) {
                    continue;
                }
                System.out.println("batch " + batch.baseOffset() + " " + batch.lastOffset() + " " + batch.countOrNull() + " "
                    + batch.producerId() + " " + batch.producerEpoch() + " " + batch.baseSequence() + " "
                    + batch.isTransactional() + " " + batch.isControlBatch() + " " + batch.maxTimestamp() + " "
                    + (batch.deleteHorizonMs().isPresent() ? batch.deleteHorizonMs().getAsLong() : -1));
                for (Record record : batch) {
                    System.out.println("record " + record.offset() + " " + record.timestamp() + " " + hex(record.key()) + " "
                        + hex(record.value()));
                }
            }
        }
        log.close();
        scheduler.shutdown();
    }

    static String hex(ByteBuffer buffer) {
        if (buffer == null) {
            return "null";
        }
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return "x" + HexFormat.of().formatHex(bytes);
    }

    /** A clock that shows one time. */
    record Stopped(long now) implements Time {
        public long milliseconds() {
            return now;
        }

        public long hiResClockMs() {
            return now;
        }

        public long nanoseconds() {
            return now * 1_000_000;
        }

        public void sleep(long ms) {
        }

        public void waitObject(Object object, Supplier<Boolean> condition, long deadlineMs) {
        }

        public Timer timer(long timeoutMs) {
            throw new UnsupportedOperationException();
        }

        public <T> T waitForFuture(CompletableFuture<T> future, long deadlineNs) {
            throw new UnsupportedOperationException();
        }
    }
}
