import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's command line tools one after another in one Java machine, since starting one for each costs a second.
 *
 * Standard input has one JSON object a line, standard output gets one for each, in order:
 *
 *   {"main": class, "args": [..], "stdin": text}   -> {"exit": code, "stdout": text, "stderr": text, "ms": time}
 *   {"join": name, "topic": t, "config": {..}}     -> {}  once a consumer of this name has partitions
 *   {"leave": name}                                -> {}  once it has left its group
 *   {"begin": name, "topic": t, "config": {..}}    -> {}  once a producer of this name has a record in an open transaction
 *   {"end": name, "how": commit|abort|abandon}     -> {}  once the transaction is over, or its producer is gone from it
 *
 * A tool's exit is what its first call of Exit says, or 0 where it returns; its shutdown hooks run then, and what it prints
 * after that is lost, as it would be. Each tool has System.out, err and in to itself; the members' threads print nowhere.
 */
public class Tools {
    static final ObjectMapper JSON = new ObjectMapper();
    /** How long a member waits for partitions on a busy machine. */
    static final long PATIENCE_SECONDS = 120;

    /** What one tool printed, and how it ended. */
    static class Capture {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        final ByteArrayOutputStream err = new ByteArrayOutputStream();
        final List<Runnable> hooks = new ArrayList<>();
        InputStream in = InputStream.nullInputStream();
        boolean ending = false;
        /** From then on nothing is heard of it. */
        Integer exit = null;
    }

    /** A tool's threads inherit its capture. */
    static final InheritableThreadLocal<Capture> CAPTURE = new InheritableThreadLocal<>();

    /** Ends a tool where it exits. An Error, since some catch every Exception. */
    static class Exited extends Error {
        Exited() {
            super("exit", null, false, false);
        }
    }

    static class Captured extends OutputStream {
        final boolean err;

        Captured(boolean err) {
            this.err = err;
        }

        @Override
        public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int from, int length) {
            Capture capture = CAPTURE.get();
            if (capture == null) {
                return;
            }
            synchronized (capture) {
                if (capture.exit == null) {
                    (err ? capture.err : capture.out).write(bytes, from, length);
                }
            }
        }
    }

    static class Input extends InputStream {
        @Override
        public int read() throws java.io.IOException {
            Capture capture = CAPTURE.get();
            return capture == null ? -1 : capture.in.read();
        }
    }

    static void exit(int status, String message) {
        end(CAPTURE.get(), status);
        throw new Exited();
    }

    /** What the Java machine does at its end: runs the hooks, while the thread that ends it waits. */
    static void end(Capture capture, int status) {
        List<Runnable> hooks;
        synchronized (capture) {
            if (capture.ending) {
                return;
            }
            capture.ending = true;
            hooks = List.copyOf(capture.hooks);
        }
        for (Runnable hook : hooks) {
            Thread thread = new Thread(hook);
            thread.start();
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
        synchronized (capture) {
            capture.exit = status;
        }
    }

    static Capture run(String main, String[] args, String stdin) throws Exception {
        Capture capture = new Capture();
        capture.in = new ByteArrayInputStream(stdin.getBytes(StandardCharsets.UTF_8));
        Thread thread = new Thread(() -> {
            CAPTURE.set(capture);
            int status = 0;
            try {
                Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) args);
            } catch (InvocationTargetException e) {
                status = uncaught(e.getCause());
            } catch (ReflectiveOperationException e) {
                status = uncaught(e);
            }
            end(capture, status);
        }, "main");
        thread.start();
        thread.join();
        return capture;
    }

    /** What Java does with what main throws. */
    static int uncaught(Throwable thrown) {
        if (!(thrown instanceof Exited)) {
            System.err.print("Exception in thread \"main\" ");
            thrown.printStackTrace();
        }
        return 1;
    }

    /** A consumer that polls until it is told to leave. */
    static class Member {
        final KafkaConsumer<byte[], byte[]> consumer;
        final CountDownLatch assigned = new CountDownLatch(1);
        final Thread thread;

        Member(String topic, Properties config) {
            consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            consumer.subscribe(List.of(topic));
            thread = new Thread(() -> {
                try (consumer) {
                    while (true) {
                        consumer.poll(Duration.ofSeconds(1));
                        if (!consumer.assignment().isEmpty()) {
                            assigned.countDown();
                        }
                    }
                } catch (WakeupException e) {
                    // Told to leave.
                }
            });
            thread.start();
        }
    }

    /** A producer with an open transaction that has a record in partition 0 of the topic. */
    static KafkaProducer<String, String> begin(String name, String topic, Properties config) throws Exception {
        KafkaProducer<String, String> producer =
            new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, 0, name, "of " + name)).get();
        return producer;
    }

    static Properties properties(JsonNode request) {
        Properties config = new Properties();
        request.get("config").properties().forEach(field -> config.put(field.getKey(), field.getValue().asText()));
        return config;
    }

    static void end(KafkaProducer<String, String> producer, String how) {
        switch (how) {
            case "commit" -> producer.commitTransaction();
            case "abort" -> producer.abortTransaction();
            default -> { }
        }
        // Without time to end anything.
        producer.close(Duration.ZERO);
    }

    public static void main(String[] ignored) throws Exception {
        PrintStream answers = System.out;
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.setOut(new PrintStream(new Captured(false), true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(new Captured(true), true, StandardCharsets.UTF_8));
        System.setIn(new Input());
        Exit.setExitProcedure(Tools::exit);
        Exit.setHaltProcedure(Tools::exit);
        Exit.setShutdownHookAdder((name, hook) -> {
            Capture capture = CAPTURE.get();
            if (capture != null) {
                synchronized (capture) {
                    capture.hooks.add(hook);
                }
            }
        });
        Map<String, Member> members = new HashMap<>();
        Map<String, KafkaProducer<String, String>> producers = new HashMap<>();
        String line;
        while ((line = requests.readLine()) != null) {
            JsonNode request = JSON.readTree(line);
            ObjectNode answer = JSON.createObjectNode();
            long start = System.nanoTime();
            if (request.has("main")) {
                List<String> args = new ArrayList<>();
                request.get("args").forEach(arg -> args.add(arg.asText()));
                Capture capture = run(request.get("main").asText(), args.toArray(String[]::new), request.get("stdin").asText());
                answer.put("exit", capture.exit);
                answer.put("stdout", capture.out.toString(StandardCharsets.UTF_8));
                answer.put("stderr", capture.err.toString(StandardCharsets.UTF_8));
            } else if (request.has("join")) {
                Properties config = properties(request);
                Member member = new Member(request.get("topic").asText(), config);
                members.put(request.get("join").asText(), member);
                if (!member.assigned.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                    answer.put("failed", "no partitions after " + PATIENCE_SECONDS + " s");
                }
            } else if (request.has("leave")) {
                Member member = members.remove(request.get("leave").asText());
                member.consumer.wakeup();
                member.thread.join();
            } else {
                boolean begins = request.has("begin");
                String name = request.get(begins ? "begin" : "end").asText();
                try {
                    if (begins) {
                        producers.put(name, begin(name, request.get("topic").asText(), properties(request)));
                    } else {
                        end(producers.remove(name), request.get("how").asText());
                    }
                } catch (Exception e) {
                    answer.put("failed", e.toString());
                }
            }
            answer.put("ms", (System.nanoTime() - start) / 1_000_000);
            answers.println(JSON.writeValueAsString(answer));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }
}
