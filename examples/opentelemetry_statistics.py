# SPDX-License-Identifier: MIT
"""Gives curlwire's statistics to OpenTelemetry: opentelemetry_statistics.py [URI].

It needs opentelemetry-sdk.
"""

import sys
from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import curlwire

URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8765/"
Callback = Callable[[CallbackOptions], Iterable[Observation]]


def total(sent: str, received: str) -> Callback:
    """Returns a callback that reads a number of each direction."""

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        numbers = curlwire.statistics()
        yield Observation(getattr(numbers, sent), {"direction": "sent"})
        yield Observation(getattr(numbers, received), {"direction": "received"})

    return observe


def open_sockets(options: CallbackOptions) -> Iterable[Observation]:
    yield Observation(curlwire.statistics().open_sockets)


def closed(options: CallbackOptions) -> Iterable[Observation]:
    for code, count in curlwire.statistics().closed.items():
        yield Observation(count, {"code": code})


# A program that exports: PeriodicExportingMetricReader(OTLPMetricExporter())
reader = InMemoryMetricReader()
meter = MeterProvider([reader]).get_meter("curlwire", curlwire.__version__)
meter.create_observable_up_down_counter("curlwire.sockets.open", [open_sockets])
meter.create_observable_counter("curlwire.message.size", [total("bytes_sent", "bytes_received")], unit="By")
meter.create_observable_counter(
    "curlwire.wire.size", [total("wire_bytes_sent", "wire_bytes_received")], unit="By"
)
meter.create_observable_counter("curlwire.closed", [closed])

with curlwire.connect(URI) as ws:
    ws.send("hello")
    print(ws.recv())
ws.wait_closed()
data = reader.get_metrics_data()
for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else ():
    for point in metric.data.data_points:
        print(metric.name, dict(point.attributes or {}), getattr(point, "value", None))
