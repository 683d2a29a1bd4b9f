# SPDX-License-Identifier: MIT
"""The end of a program while its sockets are active, and handlers that misbehave."""

import queue
import threading
import time

import curlwire
from curlwire import MessageWebSocket
from peers import WAIT, echo, frame, script, url
from test_process import assert_quiet, run

PROMPT = 25.0  # seconds for the whole program; less than send_timeout (30 s), for which nothing may wait


def assert_ends_promptly(script: str, output: str = "done\n") -> None:
    begin = time.monotonic()
    assert_quiet(script, output)
    assert time.monotonic() - begin < PROMPT


def test_a_handler_ends_the_program() -> None:
    assert_ends_promptly(
        """
        import _thread
        ws = curlwire.MessageWebSocket()
        ws.on_message_received = lambda ws, args: _thread.interrupt_main()
        ws.connect(URL + "/")
        try:
            ws.send("go")  # the reply may come before this returns
            ws.run_forever()
        except KeyboardInterrupt:
            print("done")
        """
    )


def test_a_handler_ends_the_process() -> None:
    assert_ends_promptly(
        """
        ws = curlwire.MessageWebSocket()
        def on_message(ws, args):
            print("done", flush=True)
            os._exit(0)
        ws.on_message_received = on_message
        ws.connect(URL + "/")
        ws.send("go")
        ws.run_forever()
        """
    )


def test_sys_exit_in_a_handler_is_told_and_ends_nothing() -> None:
    result = run(
        """
        heard = []
        def on_message(ws, args):
            heard.append(args.data)
            if len(heard) == 2:
                ws.close()
            sys.exit(3)
        ws = curlwire.MessageWebSocket()
        ws.on_message_received = on_message
        ws.connect(URL + "/")
        ws.send("1")
        ws.send("2")
        ws.run_forever()
        print(heard)
        """
    )
    assert (result.stdout, result.returncode) == ("['1', '2']\n", 0)
    assert result.stderr.count("SystemExit: 3") == 2


def test_another_thread_is_the_last_to_end() -> None:
    assert_ends_promptly(
        """
        def late():
            threading.main_thread().join()
            ws = curlwire.connect(URL + "/")
            ws.send("done")
            print(ws.recv(timeout=50))
        threading.Thread(target=late).start()
        first = curlwire.connect(URL + "/ticker")
        """
    )


def test_another_thread_ends_the_process() -> None:
    assert_ends_promptly(
        """
        ws = curlwire.connect(URL + "/")
        def end():
            print("done", flush=True)
            os._exit(0)
        threading.Timer(0.05, end).start()
        ws.recv(timeout=None)
        """
    )


def test_exit_with_the_service_busy() -> None:
    silent = url("CW_SCRIPT_WS", "/s/hs:/hang")
    stalled = url("CW_SCRIPT_WS", "/s/stall/frame:1000")
    flood = script("repeat:1000000000:" + frame(2, bytes(1000)))
    assert_ends_promptly(
        f"""
        floods = [curlwire.connect({flood!r}) for _ in range(10)]
        full = curlwire.connect({stalled!r})
        try:
            full.send(bytes(100_000_000), timeout=0.1)  # a part is sent, so the connection is dropped
        except curlwire.ConnectionClosed:
            pass
        def connect():
            curlwire.connect({silent!r}, timeout=None)
        for _ in range(5):
            threading.Thread(target=connect, daemon=True).start()
        def receive(ws):
            for message in ws:
                pass
        for ws in floods[:5]:
            threading.Thread(target=receive, args=(ws,), daemon=True).start()
        time.sleep(0.1)
        print("done")
        """
    )


def test_a_handler_connects_anew() -> None:
    codes: queue.Queue[int] = queue.Queue()

    def connect(left: int) -> None:
        ws = MessageWebSocket()

        def on_closed(ws: MessageWebSocket, args: curlwire.ClosedEventArgs) -> None:
            codes.put(args.code)
            if left > 0:
                connect(left - 1)

        ws.on_closed = on_closed
        ws.connect(echo(f"/close?code={4000 + left}"))

    connect(5)
    assert [codes.get(timeout=WAIT) for _ in range(6)] == [4005, 4004, 4003, 4002, 4001, 4000]


def test_a_handler_that_blocks_holds_up_no_connection() -> None:
    may_go_on = threading.Event()
    heard: queue.Queue[object] = queue.Queue()

    def block(ws: MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
        may_go_on.wait(WAIT)
        heard.put(args.data)

    with MessageWebSocket() as blocked, curlwire.connect(echo()) as other:
        blocked.on_message_received = block
        blocked.connect(echo())
        blocked.send("held")
        other.send("passes")
        assert other.recv(timeout=WAIT) == "passes"
        assert blocked.ping(WAIT) > 0
        assert heard.empty()
        may_go_on.set()
        assert heard.get(timeout=WAIT) == "held"
