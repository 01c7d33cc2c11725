# Asks for a budget over Kafka, waits for the decision, and adds noise only then.
# BROKERS=localhost:9092 SOURCE=trainer python emit.py ID UNIT COUNT   (pip install confluent-kafka)
import json
import os
import secrets
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import quote

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition


class Emitter:
    def __init__(self, brokers, source, prefix):
        self._source = source
        self._prefix = prefix
        # The partitioner of Java: the decisions about one unit stay in order.
        self._producer = Producer(
            {"bootstrap.servers": brokers, "acks": "all", "partitioner": "murmur2_random"}
        )
        # Nothing is committed, and the partitions are taken by hand: every emitter has to see every decision.
        self._consumer = Consumer(
            {"bootstrap.servers": brokers, "group.id": f"{source}-{uuid.uuid4()}", "enable.auto.commit": False}
        )
        topic = f"{prefix}decisions"
        partitions = self._consumer.list_topics(topic, timeout=30).topics[topic].partitions
        # The ends of the topic before anything is asked: no answer can come before them.
        self._consumer.assign([self._end(TopicPartition(topic, number)) for number in partitions])

    def _end(self, partition):
        _, high = self._consumer.get_watermark_offsets(partition, timeout=30)
        return TopicPartition(partition.topic, partition.partition, high)

    def close(self):
        self._producer.flush(10)
        self._consumer.close()

    def ask(self, id, unit, data, resend_s=5, deadline_s=60):
        """Returns the decision. After a time without one the same message is sent again, with the same id: the ledger
        charges it once, and gives the first answer again. Raises TimeoutError at the deadline; then nothing may be
        released, and the same id may be asked for later."""
        deadline = time.monotonic() + deadline_s
        while time.monotonic() < deadline:
            self._producer.produce(
                f"{self._prefix}spends",
                key=unit,
                value=json.dumps({"unit": unit, **data}),
                headers={
                    "ce_specversion": "1.0",
                    "ce_id": id,
                    "ce_source": self._source,
                    "ce_type": "epsilon.spend.v1",
                    "content-type": "application/json",
                },
            )
            decision = self._decision(id, min(time.monotonic() + resend_s, deadline))
            if decision is not None:
                return decision
        raise TimeoutError(f"no decision about {id} within {deadline_s} s: nothing may be released")

    def _decision(self, id, until):
        """Everybody's decisions come by; repeats of ours find nobody waiting."""
        while time.monotonic() < until:
            self._producer.poll(0)
            message = self._consumer.poll(0.1)
            if message is None:
                continue
            if message.error() is not None:
                raise KafkaException(message.error())
            decision = json.loads(message.value())
            if decision["spend"] == {"source": self._source, "id": id}:
                return decision
        return None


def bernoulli(n):
    """True with probability exp(-1/n), exactly (Canonne, Kamath and Steinke 2020, algorithm 1)."""
    k = 1
    while secrets.randbelow(n * k) == 0:
        k += 1
    return k % 2 == 1


def geometric(n):
    count = 0
    while bernoulli(n):
        count += 1
    return count


def noise(n):
    """Discrete Laplace noise of parameter 1/n."""
    return geometric(n) - geometric(n)


def once(id, make):
    """One permit is for one result: whoever asks again for an id gets what was made the first time."""
    file = Path(os.environ.get("RESULTS", ".")) / f"{quote(id, safe='')}.result"
    if not file.exists():
        draft = file.with_suffix(".draft")
        with open(draft, "w") as opened:
            opened.write(str(make()))
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)
    return int(file.read_text())


def main():
    id, unit, count = sys.argv[1:4]
    emitter = Emitter(os.environ["BROKERS"], os.environ["SOURCE"], os.environ.get("TOPIC_PREFIX", "epsilon."))
    try:
        release = {"mechanism": "discrete_laplace", "noiseParameter": "1/10", "sensitivity": 1}
        answer = emitter.ask(id, unit, release, deadline_s=float(os.environ.get("DEADLINE_S", "60")))
    finally:
        emitter.close()
    if answer["decision"] == "accepted":
        result = once(id, lambda: int(count) + noise(10))
        print(json.dumps({"id": id, "decision": "accepted", "result": result}))
    else:
        print(json.dumps({"id": id, **{name: answer[name] for name in ("decision", "code", "detail")}}))


main()
