"""The floor in plain Python: poll, fold into a dict, one transaction with changelog rows, outputs and offsets. No recovery, no rollback, no rebalance."""

import time
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from bench import job


def main() -> None:
    task = job.Task.given()
    consumer = Consumer(
        {
            "bootstrap.servers": task.bootstrap,
            "group.id": task.run,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "queued.min.messages": 100_000,
        }
    )
    consumer.subscribe([task.source])
    producer = Producer(
        {
            "bootstrap.servers": task.bootstrap,
            "transactional.id": task.run,
            "linger.ms": 5,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
            "batch.num.messages": 10_000,
        }
    )
    producer.init_transactions(30)
    headers = list(job.HEADERS.items())
    rows: dict[bytes, job.Fields] = {}
    changed: dict[int, set[bytes]] = {}
    positions: dict[int, int] = {}
    watch = job.Stopwatch(task.count)
    interval, seen, last = task.commit_ms / 1000, 0, time.monotonic()
    while seen < task.count or changed:
        by_partition: dict[int, list[Any]] = {}
        for message in consumer.consume(10_000, interval):
            by_partition.setdefault(message.partition(), []).append(message)
        for partition, messages in by_partition.items():
            watch.start()
            touched = changed.setdefault(partition, set())
            for message in messages:
                key, offset = message.key(), message.offset()
                row = rows.get(key)
                if row is None:
                    row = rows[key] = [0, 0, 0, -1]
                if offset > row[3]:
                    job.apply(row, job.decode(message.value()), offset)
                    touched.add(key)
            seen += len(messages)
            positions[partition] = messages[-1].offset() + 1
        if changed and time.monotonic() - last >= interval:
            producer.begin_transaction()
            for partition, keys in changed.items():
                items = [{"key": key, "value": job.ROW.pack(*rows[key])} for key in keys]
                producer.produce_batch(f"{task.run}-changelog", items, partition=partition)
                if task.headers:
                    for key in keys:
                        producer.produce(task.out, job.encode(key.decode(), *rows[key][:3]), key, headers=headers)
                else:
                    outputs = [{"key": key, "value": job.encode(key.decode(), *rows[key][:3])} for key in keys]
                    producer.produce_batch(task.out, outputs)
            offsets = [TopicPartition(task.source, partition, offset) for partition, offset in positions.items()]
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
            producer.commit_transaction()
            changed.clear()
            last = time.monotonic()
    watch.done()


if __name__ == "__main__":
    main()
