"""Quix Streams with a stateful function, `exactly-once`. Runs in an environment of its own (`quix.txt`)."""

import quixstreams

from bench import job


def main() -> None:
    task = job.Task.given()
    app = quixstreams.Application(
        broker_address=task.bootstrap,
        consumer_group=task.run,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=task.commit_ms / 1000,
        state_dir=task.folder,
        loglevel="WARNING",
        producer_extra_config={"partitioner": "murmur2_random", "linger.ms": 5, "compression.type": "lz4"},
    )
    source = app.topic(task.source, key_deserializer="bytes", value_deserializer="bytes")
    out = app.topic(task.out, key_serializer="bytes", value_serializer="bytes")
    watch = job.Stopwatch(task.count)
    seen = 0

    def keep(value: bytes, key: bytes, timestamp: int, headers: object, state: quixstreams.State) -> bytes:
        nonlocal seen
        watch.start()
        stored = state.get_bytes("row")
        row = [0, 0, 0, -1] if stored is None else list(job.ROW.unpack(stored))
        job.apply(row, job.decode(value), quixstreams.message_context().offset)
        state.set_bytes("row", job.ROW.pack(*row))
        seen += 1
        if seen == task.count:
            app.stop()
        return job.encode(key.decode(), *row[:3])

    app.dataframe(source).apply(keep, stateful=True, metadata=True).to_topic(out)
    app.run()
    watch.done()


if __name__ == "__main__":
    main()
