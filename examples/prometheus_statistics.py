# SPDX-License-Identifier: MIT
"""Gives curlwire's statistics to Prometheus: prometheus_statistics.py [URI]. It needs prometheus_client."""

import sys
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import curlwire

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8765/"
STATES = ("open_sockets", "connecting_sockets", "send_queue_bytes", "receive_queue_bytes")
SUMS = (
    "connects", "text_messages_sent", "binary_messages_sent", "text_messages_received",
    "binary_messages_received", "bytes_sent", "bytes_received", "wire_bytes_sent", "wire_bytes_received",
    "pings_sent", "pongs_received", "round_trips", "lost_bytes",
)  # fmt: skip


class CurlwireCollector(Collector):
    """Reads the sums of the process whenever Prometheus asks."""

    def collect(self) -> Iterator[Metric]:
        numbers = curlwire.statistics()
        for name in STATES:
            yield GaugeMetricFamily(f"curlwire_{name}", name, getattr(numbers, name))
        for name in SUMS:
            yield CounterMetricFamily(f"curlwire_{name}", name, getattr(numbers, name))
        yield CounterMetricFamily("curlwire_round_trip_seconds", "sum", numbers.round_trip_sum)
        closed = CounterMetricFamily("curlwire_closed", "ended connections", labels=["code"])
        for code, count in numbers.closed.items():
            closed.add_metric([str(code)], count)
        failed = CounterMetricFamily("curlwire_failed_connects", "by reason", labels=["status"])
        for status, count in numbers.failed.items():
            failed.add_metric([status.name.lower()], count)
        yield closed
        yield failed


registry = CollectorRegistry()
registry.register(CurlwireCollector())
# A server that Prometheus can ask: prometheus_client.start_http_server(9000, registry=registry)

with curlwire.connect(URI) as ws:
    ws.send("hello")
    print(ws.recv())
    ws.ping()
ws.wait_closed()
print(generate_latest(registry).decode())
