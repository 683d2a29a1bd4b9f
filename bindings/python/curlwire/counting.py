# SPDX-License-Identifier: MIT
"""What curlwire counts, for a socket and for the process."""

from dataclasses import dataclass

from curlwire import _core
from curlwire._core import WebErrorStatus


@dataclass(frozen=True)
class Statistics:
    """What curlwire has counted for a socket since it was made. ws.information.statistics returns a new one.

    A message counts as sent when the call that sends it, or its last fragment, succeeds; so do its bytes. A
    sent frame counts when its last byte has been passed to the system or to TLS, or is held back in a batch. A
    message, with its bytes, counts as received when its last frame has arrived; a frame when its header has.
    With parts, and on a StreamWebSocket, the bytes count as they arrive. Times are in seconds, None if nothing
    has been measured.

    open_sockets: sockets whose state is open.
    connecting_sockets: sockets whose state is connecting.
    connects: connects that succeeded.
    failed_connects: connects that failed, also because the program gave up.
    ended_connections: connections that have ended: the state became closed.
    text_messages_sent: text messages that were sent.
    binary_messages_sent: binary messages that were sent.
    text_messages_received: text messages that have arrived.
    binary_messages_received: binary messages that have arrived.
    bytes_sent: bytes of the messages that were sent.
    bytes_received: bytes of the messages that have arrived.
    wire_bytes_sent: bytes of sent frames, with their headers.
    wire_bytes_received: bytes of received frames, with their headers.
    text_frames_sent: first frames of text messages that were sent.
    binary_frames_sent: first frames of binary messages that were sent.
    continuation_frames_sent: later frames of messages that were sent.
    close_frames_sent: close frames that were sent.
    pings_sent: pings that were sent, those of keepalive too.
    pongs_sent: pongs that were sent.
    text_frames_received: first frames of text messages that have arrived.
    binary_frames_received: first frames of binary messages that have arrived.
    continuation_frames_received: later frames of messages that have arrived.
    close_frames_received: close frames that have arrived.
    pings_received: pings that have arrived.
    pongs_received: pongs that have arrived.
    round_trips: pings whose pong came before the next ping was sent.
    round_trip_sum: sum of their round trips.
    round_trip_last: the latest round trip.
    round_trip_least: the shortest round trip.
    round_trip_most: the longest round trip.
    round_trip_mean: the mean round trip.
    send_queue_bytes: memory of messages that wait to be sent.
    send_queue_bytes_most: the most that send_queue_bytes of a socket has been.
    receive_queue_bytes: memory of received messages that wait for the program.
    receive_queue_bytes_most: the most that receive_queue_bytes of a socket has been.
    lost_bytes: bytes of sent messages that did not reach the peer, as far as is known.
    lost_trace_lines: lines of a trace that could not be written, or that nobody took in time.
    """

    open_sockets: int
    connecting_sockets: int
    connects: int
    failed_connects: int
    ended_connections: int
    text_messages_sent: int
    binary_messages_sent: int
    text_messages_received: int
    binary_messages_received: int
    bytes_sent: int
    bytes_received: int
    wire_bytes_sent: int
    wire_bytes_received: int
    text_frames_sent: int
    binary_frames_sent: int
    continuation_frames_sent: int
    close_frames_sent: int
    pings_sent: int
    pongs_sent: int
    text_frames_received: int
    binary_frames_received: int
    continuation_frames_received: int
    close_frames_received: int
    pings_received: int
    pongs_received: int
    round_trips: int
    round_trip_sum: float
    round_trip_last: float | None
    round_trip_least: float | None
    round_trip_most: float | None
    round_trip_mean: float | None
    send_queue_bytes: int
    send_queue_bytes_most: int
    receive_queue_bytes: int
    receive_queue_bytes_most: int
    lost_bytes: int
    lost_trace_lines: int


@dataclass(frozen=True)
class ProcessStatistics(Statistics):
    """What curlwire has counted in this process. statistics() returns a new one.

    Each attribute of Statistics is the sum over all sockets that have begun to connect, those that are gone
    too. The least is the least of any socket, and the most is the most of any socket. A child of fork() counts
    from 0.

    closed: a dict that says how many connections have ended with each close code, an int. 1006 is a lost
    connection.
    failed: a dict that says how many connects have failed with each WebErrorStatus.
    """

    closed: dict[int, int]
    failed: dict[WebErrorStatus, int]


def statistics() -> ProcessStatistics:
    """Returns what curlwire has counted in this process, a ProcessStatistics.

    Blocks for at most 20 ms per socket that another thread uses at that moment. Any thread may call it.
    """
    numbers, closed, failed = _core.process_statistics()
    arguments = [*numbers, closed, {WebErrorStatus(status): count for status, count in failed.items()}]
    return ProcessStatistics(*arguments)
