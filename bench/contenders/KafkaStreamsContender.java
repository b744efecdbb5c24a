import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.FileReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Locale;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.util.Utf8;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The job on Kafka Streams, exactly_once_v2: decode, aggregate into a cached store, encode what the cache lets go at a commit.
 *
 * Arguments: bootstrap, application id, source, out, count (0: until SIGTERM), commit interval (ms), state folder, headers (true or false),
 * and "restore" where only the restore of the store from its changelog is wanted. One stream thread.
 */
public final class KafkaStreamsContender {
  private static final Schema MOVEMENT = new Schema.Parser().parse("""
      {"type": "record", "name": "Movement", "fields": [
        {"name": "event_id", "type": "string"}, {"name": "sku", "type": "string"}, {"name": "qty", "type": "int"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["RECEIPT", "ORDER", "CANCEL", "PICK"]}},
        {"name": "seq", "type": "long"}, {"name": "ts", "type": "long"}]}""");
  private static final Schema AVAILABILITY = new Schema.Parser().parse("""
      {"type": "record", "name": "Availability", "fields": [
        {"name": "sku", "type": "string"}, {"name": "ats", "type": "int"}, {"name": "version", "type": "long"},
        {"name": "ts", "type": "long"}]}""");
  private static final int ON_HAND = 0, DEMAND = 4, VERSION = 8, LAST = 16, ROW_BYTES = 24;

  private static long count;
  private static final AtomicLong seen = new AtomicLong();
  private static volatile Moment begin, half;

  private record Moment(long nanos, long cpu) {
    static Moment now() {
      var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
      return new Moment(System.nanoTime(), system.getProcessCpuTime());
    }
  }

  private record Movement(GenericRecord fields, long offset) {}

  /** Avro to movement; counts the records. */
  private static final class Decode extends ContextualFixedKeyProcessor<byte[], byte[], Movement> {
    private final GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(MOVEMENT);
    private BinaryDecoder decoder;
    private GenericRecord reused;

    @Override
    public void process(FixedKeyRecord<byte[], byte[]> record) {
      long number = seen.incrementAndGet();
      if (number == 1) begin = Moment.now();
      else if (number == count / 2) half = Moment.now();
      try {
        decoder = DecoderFactory.get().binaryDecoder(record.value(), decoder);
        reused = reader.read(reused, decoder);
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
      context().forward(record.withValue(new Movement(reused, context().recordMetadata().orElseThrow().offset())));
    }
  }

  /** Row to Avro. */
  private static final class Encode extends ContextualFixedKeyProcessor<byte[], byte[], byte[]> {
    private final GenericDatumWriter<GenericRecord> writer = new GenericDatumWriter<>(AVAILABILITY);
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final GenericRecord fields = new GenericData.Record(AVAILABILITY);
    private final boolean withHeaders;
    private BinaryEncoder encoder;

    Encode(boolean withHeaders) {
      this.withHeaders = withHeaders;
    }

    @Override
    public void process(FixedKeyRecord<byte[], byte[]> record) {
      ByteBuffer row = ByteBuffer.wrap(record.value());
      bytes.reset();
      fields.put(0, new Utf8(record.key()));
      fields.put(1, Math.max(0, row.getInt(ON_HAND) - row.getInt(DEMAND)));
      fields.put(2, row.getLong(VERSION));
      fields.put(3, 0L);
      try {
        encoder = EncoderFactory.get().binaryEncoder(bytes, encoder);
        writer.write(fields, encoder);
        encoder.flush();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
      if (withHeaders) {
        Headers headers = record.headers();
        headers.remove("source").add("source", "bench".getBytes());
        headers.remove("correlation_id").add("correlation_id", "0d9f7a34-5c1e-4b6e-9d54-0f7f3f6f2a11".getBytes());
      }
      context().forward(record.withValue(bytes.toByteArray()));
    }
  }

  private static byte[] fold(byte[] before, Movement movement) {
    byte[] after = before.clone();
    ByteBuffer row = ByteBuffer.wrap(after);
    if (movement.offset <= row.getLong(LAST)) return after;
    int quantity = (Integer) movement.fields.get(2), onHand = row.getInt(ON_HAND), demand = row.getInt(DEMAND);
    switch (movement.fields.get(3).toString()) {
      case "RECEIPT" -> onHand += quantity;
      case "ORDER" -> demand += quantity;
      case "CANCEL" -> demand -= quantity;
      default -> {
        onHand -= quantity;
        demand -= quantity;
      }
    }
    row.putInt(ON_HAND, onHand).putInt(DEMAND, demand).putLong(VERSION, row.getLong(VERSION) + 1).putLong(LAST, movement.offset);
    return after;
  }

  private static byte[] emptyRow() {
    byte[] row = new byte[ROW_BYTES];
    ByteBuffer.wrap(row).putLong(LAST, -1);
    return row;
  }

  public static void main(String[] arguments) throws Exception {
    String source = arguments[2], out = arguments[3];
    count = Long.parseLong(arguments[4]);
    boolean withHeaders = Boolean.parseBoolean(arguments[7]), restoreOnly = arguments.length > 8;

    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Integer.parseInt(arguments[5]));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[6]);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArray().getClass());
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArray().getClass());
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");

    StreamsBuilder builder = new StreamsBuilder();
    KStream<byte[], byte[]> movements = builder.stream(source);
    movements
        .processValues(Decode::new)
        .groupByKey()
        .aggregate(
            KafkaStreamsContender::emptyRow,
            (key, movement, row) -> fold(row, movement),
            Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as("stock")
                .withKeySerde(Serdes.ByteArray())
                .withValueSerde(Serdes.ByteArray())
                .withCachingEnabled())
        .toStream()
        .processValues(() -> new Encode(withHeaders))
        .to(out);
    KafkaStreams streams = new KafkaStreams(builder.build(settings), settings);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      Runtime.getRuntime().halt(3);
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
    Restored restored = new Restored();
    streams.setGlobalStateRestoreListener(restored);
    streams.start();
    while (restoreOnly ? restored.partitions.get() < 4 : count == 0 || seen.get() < count) Thread.sleep(2);
    if (restoreOnly) say(restored.begin, restored.begin, Moment.now(), Moment.now());
    Moment processed = Moment.now();
    streams.close(Duration.ofSeconds(30));
    say(begin, half, processed, Moment.now());
  }

  /** When the first partition began, and how many ended. */
  private static final class Restored implements StateRestoreListener {
    private final AtomicInteger partitions = new AtomicInteger();
    private volatile Moment begin;

    @Override
    public void onRestoreStart(TopicPartition partition, String store, long first, long last) {
      if (begin == null) begin = Moment.now();
    }

    @Override
    public void onBatchRestored(TopicPartition partition, String store, long last, long rows) {}

    @Override
    public void onRestoreEnd(TopicPartition partition, String store, long rows) {
      partitions.incrementAndGet();
    }
  }

  private static void say(Moment from, Moment middle, Moment processed, Moment end) throws IOException {
    System.out.printf(
        Locale.ROOT,
        "{\"seconds\": %.6f, \"cpu\": %.6f, \"peak\": %d, \"warm_seconds\": %.6f, \"warm_cpu\": %.6f}%n",
        (end.nanos - from.nanos) / 1e9, (end.cpu - from.cpu) / 1e9, peak(),
        (processed.nanos - middle.nanos) / 1e9, (processed.cpu - middle.cpu) / 1e9);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static long peak() throws IOException {
    try (BufferedReader status = new BufferedReader(new FileReader("/proc/self/status"))) {
      return status.lines().filter(line -> line.startsWith("VmHWM")).mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10).sum();
    }
  }
}
