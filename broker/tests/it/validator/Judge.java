import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Timer;
import org.apache.kafka.server.record.BrokerCompressionType;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

/**
 * Puts batches before Apache Kafka's own LogValidator. A line in: name, topic, time, C or L (timestamp type), before.max.ms,
 * after.max.ms, 0 or 1 (compacted), compression.type, the batch in hex. A line out: name, then OK and the bytes to be stored
 * at offset 0, or the error's name, its message where the broker gives one, and "index=message" of each refused record.
 * Fields are separated by tabs, refused records by the character 31.
 */
public class Judge {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] fields = line.split("\t");
            System.out.println(fields[0] + "\t" + judge(fields));
        }
    }

    static String judge(String[] fields) {
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(HexFormat.of().parseHex(fields[8])));
            CompressionType source = records.batches().iterator().next().compressionType();
            Compression target = fields[7].equals("producer")
                ? BrokerCompressionType.targetCompression(Optional.empty(), source)
                : Compression.of(fields[7]).build();
            LogValidator validator = new LogValidator(records, new TopicPartition(fields[1], 0),
                new Stopped(Long.parseLong(fields[2])), source, target, fields[6].equals("1"), RecordBatch.MAGIC_VALUE_V2,
                fields[3].equals("C") ? TimestampType.CREATE_TIME : TimestampType.LOG_APPEND_TIME,
                Long.parseLong(fields[4]), Long.parseLong(fields[5]), 0, AppendOrigin.CLIENT);
            ByteBuffer stored = validator
                .validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(0), new Uncounted(), BufferSupplier.NO_CACHING)
                .validatedRecords.buffer().duplicate();
            byte[] bytes = new byte[stored.remaining()];
            stored.get(bytes);
            return "OK\t" + HexFormat.of().formatHex(bytes);
        } catch (RecordValidationException refused) {
            return Errors.forException(refused.invalidException()) + "\t" + refused.invalidException().getMessage() + "\t"
                + refused.recordErrors().stream()
                    .map(error -> error.batchIndex + "=" + error.message)
                    .collect(Collectors.joining("\u001f"));
        } catch (Throwable error) {
            return Errors.forException(error) + "\t\t";
        }
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

    static class Uncounted implements LogValidator.MetricsRecorder {
        public void recordInvalidMagic() {
        }

        public void recordInvalidOffset() {
        }

        public void recordInvalidSequence() {
        }

        public void recordInvalidChecksums() {
        }

        public void recordNoKeyCompactedTopic() {
        }
    }
}
