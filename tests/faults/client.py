# SPDX-License-Identifier: MIT
"""Does what its input says with curlwire, and writes down what happens. client.lua is the same in Lua.

A line of input is a session:   CLASS MODE URI OPTIONS OP OP ...

    CLASS      message or stream
    MODE       blocking (receiving calls) or handlers (on_message_received; message only); either has on_closed
    OPTIONS    name=value,name=value or "-"

    connect            text:HEX  binary:HEX   sends a message (stream: always binary)
    big:N              sends a binary message of N bytes
    fill:N             queues binary messages of N bytes, the first 8 a number, until flush times out.
                       fill:N:MS: after MS, not after send_timeout
    part:HEX last:HEX  send_nonfinal_frame, send_final_frame
    recv  recv:N       takes a message; a stream reads N bytes
    ping  flush  wait  close:CODE:HEX   wait is wait_closed
    pause:MS           does nothing; handlers may be called

An op that finds the connection lost is the last; then everything that is left is received. One that fails
otherwise is not. At the end an open socket is aborted. CW_FAULTS_CA_FILE says whom to trust. What happens is
written as lines:

    op INDEX NAME MS ok | op INDEX NAME MS KIND STATUS CODE   KIND is Lua's err.name, STATUS and CODE numbers
    message text|binary HEX        as they come; a stream's bytes are "message bytes HEX"
    closed CODE 0|1 HEX            for each call of on_closed: was_clean, the reason
    took N MS                      before the op line of a fill: how many were taken; how long the flush was
    end                            the session is over; its socket has no more events
"""

from __future__ import annotations

import os
import sys
import threading
import time

import curlwire

LIMIT_S = 15.0
KINDS = {
    curlwire.ConnectError: "CW_CONNECT_FAILED",
    curlwire.ConnectionClosed: "CW_CLOSED",
    curlwire.WebSocketTimeout: "CW_TIMED_OUT",
}
news = threading.Condition()


def say(*words: object) -> None:
    # one write, since handlers run in a thread of their own
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")


def kind_of(error: curlwire.WebSocketError) -> str:
    return next((name for cls, name in KINDS.items() if isinstance(error, cls)), type(error).__name__)


def options_of(text: str) -> dict[str, float]:
    pairs = [pair.split("=") for pair in text.split(",")] if text != "-" else []
    return {name: int(value) if value.isdigit() else float(value) for name, value in pairs}


class Session:
    def __init__(self, is_stream: bool, has_handlers: bool, uri: str, options: dict[str, float]) -> None:
        self.uri = uri
        self.has_handlers = has_handlers
        self.was_open = False
        self.messages = 0  # that handlers got
        self.taken = 0
        self.closed = 0
        self.message: curlwire.MessageWebSocket | None = None
        self.stream: curlwire.StreamWebSocket | None = None
        self.ws: curlwire.MessageWebSocket | curlwire.StreamWebSocket
        if is_stream:
            self.ws = self.stream = curlwire.StreamWebSocket(**options)  # type: ignore[arg-type]
        else:
            self.ws = self.message = curlwire.MessageWebSocket(**options)  # type: ignore[arg-type]
            if has_handlers:
                self.message.on_message_received = self.on_message
        self.ws.on_closed = self.on_closed
        self.ws.control.ca_file = os.environ.get("CW_FAULTS_CA_FILE")

    def on_message(self, _: object, args: curlwire.MessageReceivedEventArgs) -> None:
        self.show(args.data)
        with news:
            self.messages += 1
            news.notify_all()

    def on_closed(self, _: object, args: curlwire.ClosedEventArgs) -> None:
        say("closed", args.code, int(args.was_clean), args.reason.encode().hex())
        with news:
            self.closed += 1
            news.notify_all()

    @staticmethod
    def show(data: str | bytes) -> None:
        if isinstance(data, str):
            say("message", "text", data.encode().hex())
        else:
            say("message", "binary", data.hex())

    # -- the ops

    def do(self, name: str, *arguments: str) -> None:
        getattr(self, f"do_{name}")(*arguments)

    def do_connect(self) -> None:
        self.ws.connect(self.uri)
        self.was_open = True

    def do_text(self, data: str) -> None:
        self.send(bytes.fromhex(data).decode())

    def do_binary(self, data: str) -> None:
        self.send(bytes.fromhex(data))

    def do_big(self, size: str) -> None:
        self.send(bytes(int(size)))

    def do_fill(self, size: str, limit_ms: str = "") -> None:
        assert self.message is not None
        number, begin = 0, time.monotonic()
        limit = {"timeout": int(limit_ms) / 1000} if limit_ms else {}
        try:
            while True:
                try:
                    self.message.send(number.to_bytes(8, "big") + bytes(int(size) - 8), timeout=0)
                    number += 1
                except curlwire.WebSocketTimeout:  # the queue is full
                    begin = time.monotonic()
                    self.message.flush(**limit)
        finally:
            say("took", number, round((time.monotonic() - begin) * 1000))
            sys.stdout.flush()  # the driver may wait for it

    def send(self, data: str | bytes) -> None:
        if self.message is not None:
            self.message.send(data)
        else:
            self.ws.output_stream.write(data.encode() if isinstance(data, str) else data)

    def do_part(self, data: str) -> None:
        assert self.message is not None
        self.message.send_nonfinal_frame(bytes.fromhex(data))

    def do_last(self, data: str) -> None:
        assert self.message is not None
        self.message.send_final_frame(bytes.fromhex(data))

    def do_recv(self, count: str = "1") -> None:
        if self.stream is not None:
            self.read(int(count))
        elif self.has_handlers:
            self.taken += 1
            self.wait_until(lambda: self.messages >= self.taken or self.closed > 0)
            if self.messages < self.taken:
                raise curlwire.ConnectionClosed("closed", code=self.ws.close_code)
        else:
            assert self.message is not None
            self.show(self.message.recv())

    def read(self, count: int) -> None:
        assert self.stream is not None
        while count > 0:
            data = self.stream.input_stream.read(count)
            if not data:
                raise curlwire.ConnectionClosed("the end of the stream", code=self.ws.close_code)
            say("message", "bytes", data.hex())
            count -= len(data)

    def do_ping(self) -> None:
        self.ws.ping()

    def do_flush(self) -> None:
        self.ws.flush()

    def do_close(self, code: str, reason: str) -> None:
        self.ws.close(int(code), bytes.fromhex(reason).decode())

    def do_wait(self) -> None:
        self.ws.wait_closed(LIMIT_S)

    def do_pause(self, milliseconds: str) -> None:
        time.sleep(int(milliseconds) / 1000)  # what is tested is that time passes

    # -- the end

    @staticmethod
    def wait_until(is_so: object) -> None:
        assert callable(is_so)
        with news:
            if not news.wait_for(is_so, LIMIT_S):
                raise SystemExit("client.py: it does not come")

    def receive_rest(self) -> None:
        try:
            while not self.has_handlers:
                self.do_recv(str(1 << 16))
        except curlwire.ConnectionClosed:
            pass

    def finish(self) -> None:
        if not self.was_open:
            return
        if self.ws.state != "closed":
            self.ws.abort()
        self.wait_until(lambda: self.closed > 0)


def run(line: str) -> None:
    socket_class, mode, uri, options, *ops = line.split()
    session = Session(socket_class == "stream", mode == "handlers", uri, options_of(options))
    for index, op in enumerate(ops):
        name, *arguments = op.split(":")
        begin = time.monotonic()
        error = None
        try:
            session.do(name, *arguments)
        except curlwire.WebSocketError as caught:
            error = caught
        words: list[object] = ["op", index, name, round((time.monotonic() - begin) * 1000)]
        if error is None:
            say(*words, "ok")
            continue
        kind = kind_of(error)
        say(*words, kind, int(error.status), getattr(error, "code", None) or 0)
        if kind == "CW_CLOSED":
            session.receive_rest()
        if kind in ("CW_CLOSED", "CW_CONNECT_FAILED"):
            break
    session.finish()
    say("end")
    sys.stdout.flush()


if __name__ == "__main__":
    for text in sys.stdin:
        run(text)
