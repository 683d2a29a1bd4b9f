# SPDX-License-Identifier: MIT
"""Tests of a whole process: Ctrl-C, the interpreter's exit, fork(). Each test runs a script of its own."""

import os
import shlex
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from websockets.sync.server import ServerConnection, serve

from peers import WAIT, Recorded, echo, url

HEAD = """
import os, signal, sys, threading, time
import curlwire
URL = os.environ["CW_ECHO_WS"]
"""


# The suite "valgrind" repeats the tests about fork() with each interpreter that they start under valgrind.
INTERPRETER = [*shlex.split(os.environ.get("CW_TEST_UNDER", "")), sys.executable]
LIMIT_S = 3 * WAIT if len(INTERPRETER) == 1 else 10 * WAIT


def run(script: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a script and waits for its end."""
    return subprocess.run(
        [*INTERPRETER, "-c", HEAD + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        timeout=LIMIT_S,
        check=False,
    )


def assert_quiet(script: str, output: str = "done\n", environment: dict[str, str] | None = None) -> None:
    """Checks that a script ends by itself with exit status 0, and prints exactly this output."""
    result = run(script, environment)
    assert (result.stderr, result.stdout, result.returncode) == ("", output, 0)


CALLS = {
    "recv": "ws.recv(timeout=None)",
    "iteration": "list(ws)",
    "iteration of a flood": "list(curlwire.connect(URL + '/flood?count=1000000000'))",
    "ping": "ws.ping(timeout=None)",
    "wait_closed": "ws.wait_closed()",
    "run_forever": "curlwire.run_forever()",
    "send": "[ws.send(bytes(100000), timeout=None) for _ in range(100000)]",
    "send in the middle of a message": "ws.send(bytes(100_000_000), timeout=None)",
    "write": "ws.output_stream.write(bytes(100_000_000))",
    "frame": "ws.send_final_frame(bytes(100_000_000))",
    "read": "curlwire.connect(URL + '/', curlwire.StreamWebSocket, receive_timeout=None).input_stream.read(1)",
    "connect": "curlwire.connect(SILENT, timeout=None)",
}


@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c(name: str) -> None:
    silent = url("CW_SCRIPT_WS", "/s/hs:/hang")
    stalled = url("CW_SCRIPT_WS", "/s/stall/frame:1000")
    # A signal between two sends leaves messages for which the exit would wait.
    end = "ws.abort()" if name == "send" else "pass"
    script = f"""
    SILENT = {silent!r}
    ws = curlwire.connect({stalled!r}, close_timeout=0.05, send_timeout=None)
    ws.on_closed = lambda ws, args: None
    try:
        print("waiting", flush=True)
        {CALLS[name]}
    except KeyboardInterrupt:
        print("interrupted")
        {end}
    """
    with subprocess.Popen(
        [sys.executable, "-c", HEAD + textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.2)  # usually enough for the process to wait; the test is correct in any case
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=WAIT)
        finally:
            process.kill()  # a script that ignores SIGINT may fill the memory
    assert (output, errors, process.returncode) == ("interrupted\n", "", 0)


def test_a_signal_handler_runs_while_a_call_waits() -> None:
    assert_quiet(
        """
        ws = curlwire.connect(URL + "/")
        def answer(number, frame):
            ws.ping(timeout=50)           # a call during a waiting call
            ws.send("from the signal handler")
        signal.signal(signal.SIGALRM, answer)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        print(ws.recv(timeout=50))
        """,
        "from the signal handler\n",
    )


def test_an_exception_of_a_signal_handler_ends_the_call() -> None:
    assert_quiet(
        """
        ws = curlwire.connect(URL + "/")
        def fail(number, frame):
            raise KeyError("from the signal handler")
        signal.signal(signal.SIGALRM, fail)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            ws.recv(timeout=50)
        except KeyError:
            ws.send("x")
            print(ws.recv(timeout=50))
        """,
        "x\n",
    )


def test_an_exception_of_a_signal_handler_wins_over_a_result_that_came_meanwhile() -> None:
    peer = Recorded("gate", "echo")
    go = f"{url('CW_PLAIN_HTTP', '')}/go/{peer.token}"
    assert_quiet(
        f"""
        import urllib.request
        ws = curlwire.connect({peer.url!r})
        def fail(number, frame):
            urllib.request.urlopen({go!r}).read()
            ws.ping(timeout=50)           # its pong comes after the waiting ping's pong
            raise KeyError("from the signal handler")
        signal.signal(signal.SIGALRM, fail)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            ws.ping(timeout=50)
        except KeyError:
            print("done")
        """
    )


@pytest.mark.parametrize(
    "call",
    [
        "ws.recv(timeout=None)",
        "ws.recv(timeout=None, copy=False)",
        "ws.recv_into(room, timeout=None)",
        "next(iter(ws))",
    ],
)
def test_an_exception_of_a_signal_handler_loses_no_message(call: str) -> None:
    """A large message arrives completely during a signal handler that raises. The next receive returns it."""
    script = f"frame:1/x:827f{200_000:016x}/repeat:100000:61/frame:2/repeat:100000:61/x:820162/echo"
    assert_quiet(
        f"""
        ws = curlwire.connect(os.environ["CW_SCRIPT_WS"] + "/s/{script}")
        room = bytearray(200_000)
        signals = 0
        def fail(number, frame):
            global signals
            signals += 1
            if signals == 1:              # the call waits now, so begin the message
                ws.send("begin")
                signal.setitimer(signal.ITIMER_REAL, 0.05)
            if signals == 2:
                ws.send("go on")
                ws.ping(timeout=50)       # its pong comes after the message
                raise KeyError("from the signal handler")
        signal.signal(signal.SIGALRM, fail)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            {call}
        except KeyError:
            print(ws.recv(timeout=50) == b"a" * 200_000, ws.recv(timeout=50))
        """,
        "True b'b'\n",
    )


def test_exit_with_an_open_socket() -> None:
    assert_quiet("ws = curlwire.connect(URL + '/'); print('done')")


def test_exit_with_everything_going_on() -> None:
    assert_quiet(
        """
        sockets = [curlwire.connect(URL + "/ticker") for _ in range(5)]
        for ws in sockets[:2]:
            ws.on_message_received = lambda ws, args: None
            ws.on_closed = lambda ws, args: print("no handler at exit")
        def iterate(ws):
            for message in ws:
                pass
        def receive(ws):
            while True:
                ws.recv(timeout=None)
        def wait():
            curlwire.connect(URL + "/").ping(timeout=None)
            curlwire.connect(URL + "/").recv(timeout=None)
        for target, args in ((iterate, sockets[2:3]), (receive, sockets[3:4]), (wait, ())):
            threading.Thread(target=target, args=args, daemon=True).start()
        stream = curlwire.connect(URL + "/", curlwire.StreamWebSocket)
        threading.Thread(target=stream.input_stream.read, args=(1,), daemon=True).start()
        time.sleep(0.1)
        print("done")
        """
    )


def test_exit_after_a_burst() -> None:
    """Small messages that are held back in a batch are written before the process ends."""
    numbers = []
    is_over = threading.Event()

    def count(server: ServerConnection) -> None:
        numbers.extend(int(message) for message in server)
        is_over.set()

    with serve(count, "127.0.0.1", 0, compression=None) as server:
        threading.Thread(target=server.serve_forever).start()
        port = server.socket.getsockname()[1]
        assert_quiet(f"""
            ws = curlwire.connect("ws://127.0.0.1:{port}")
            for number in range(5000):
                ws.send(str(number))
            print("done", flush=True)
        """)
        assert is_over.wait(WAIT)
    assert numbers == list(range(5000))


def test_exit_inside_a_handler() -> None:
    assert_quiet(
        """
        entered = threading.Event()
        def on_message(ws, args):
            entered.set()
            while True:
                time.sleep(0.01)
        ws = curlwire.MessageWebSocket()
        ws.on_message_received = on_message
        ws.connect(URL + "/")
        ws.send("go")
        entered.wait(50)
        print("done")
        """
    )


def test_exit_by_os_exit_and_by_exception() -> None:
    assert_quiet("ws = curlwire.connect(URL + '/ticker'); print('done', flush=True); os._exit(0)")
    result = run("ws = curlwire.connect(URL + '/ticker'); sys.exit(7)")
    assert (result.stderr, result.returncode) == ("", 7)


def test_exit_with_a_cycle_through_a_handler() -> None:
    assert_quiet(
        """
        ws = curlwire.connect(URL + "/")
        ws.on_message_received = lambda _, args: ws.send(args.data)
        print("done")
        """
    )


def test_exit_gives_the_handlers_of_open_sockets_their_end() -> None:
    assert_quiet(
        """
        class Held:
            def __del__(self):
                print("done")
        def begin():
            held = Held()
            ws = curlwire.MessageWebSocket()
            ws.on_message_received = lambda ws, args: held
            ws.connect(URL + "/")
        begin()
        """
    )


def test_a_handler_error_goes_to_stderr() -> None:
    result = run(
        """
        def on_message(ws, args):
            ws.close()
            raise KeyError("from the handler")
        ws = curlwire.MessageWebSocket()
        ws.on_message_received = on_message
        ws.connect(URL + "/")
        ws.send("go")
        curlwire.run_forever()
        print("done")
        """
    )
    assert (result.stdout, result.returncode) == ("done\n", 0)
    assert "KeyError: 'from the handler'" in result.stderr


SUBINTERPRETER = """
try:
    import _interpreters as interpreters
    made = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    made = interpreters.create(isolated=False)
"""


def test_a_subinterpreter_has_sockets_of_its_own() -> None:
    inside = HEAD + textwrap.dedent(
        """
        ws = curlwire.connect(URL + "/")
        ws.send("inside")
        print(ws.recv(timeout=50))
        try:
            curlwire.connect(os.environ["CW_REFUSED_WS"] + "/")
        except curlwire.ConnectError as error:
            print(type(error).__name__)
        try:
            ws.on_closed = print
        except curlwire.StateError as error:
            print("subinterpreter" in str(error))
        asking = curlwire.MessageWebSocket(ca_file=os.environ["CW_CA_FILE"])
        try:
            asking.on_server_custom_validation_requested = print
        except curlwire.StateError:
            asking.connect(os.environ["CW_ECHO_WSS"] + "/")  # it does not wait for an answer
            print(asking.state)
        kept = curlwire.connect(URL + "/ticker")
        sys.stdout.flush()
        """
    )
    script = SUBINTERPRETER + textwrap.dedent(
        f"""
        ws = curlwire.connect(URL + "/")
        heard = []
        ws.on_message_received = lambda ws, args: heard.append(args.data)
        interpreters.run_string(made, {f"import sys; sys.path[:] = {sys.path!r}" + inside!r})
        interpreters.destroy(made)  # this must not end the sockets of others
        ws.send("outside")
        while not heard:
            time.sleep(0.01)
        print(ws.state, heard)
        """
    )
    assert_quiet(script, "inside\nConnectError\nTrue\nopen\nopen ['outside']\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_fork() -> None:
    assert_quiet(
        """
        import warnings
        warnings.simplefilter("ignore")
        ws = curlwire.connect(URL + "/")
        ws.on_closed = lambda ws, args: None
        child = os.fork()
        if child == 0:
            try:
                ws.send("from the child")
            except curlwire.StateError:
                heard = threading.Event()
                own = curlwire.MessageWebSocket()
                own.on_message_received = lambda ws, args: heard.set()
                own.connect(URL + "/")
                own.send("the child's own")
                os._exit(0 if heard.wait(50) else 1)
            os._exit(2)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        ws.send("parent")
        print(status, ws.recv(timeout=50))
        """,
        "0 parent\n",
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_fork_reads() -> None:
    assert_quiet(
        """
        import warnings
        warnings.simplefilter("ignore")  # Python 3.12 and later warn about threads and fork
        sockets = [curlwire.connect(URL + "/"), curlwire.connect(URL + "/", curlwire.StreamWebSocket)]
        same = {"state", "close_code", "close_reason", "was_clean", "on_closed", "on_message_received",
                "on_server_custom_validation_requested", "on_trace", "on_writable"}
        objects = {"control", "information", "output_stream", "input_stream"}
        child = os.fork()
        if child == 0:
            for ws in sockets:
                for thing in (ws, ws.control, ws.information):
                    for name in dir(thing):
                        is_method = callable(getattr(type(thing), name, None))
                        if name.startswith("_") or name in objects or is_method:
                            continue
                        try:
                            getattr(thing, name)
                            refused = False
                        except curlwire.StateError as error:
                            refused = "made before fork()" in str(error)
                        if refused == (name in same):
                            print(type(thing), name, refused)
                assert "of the parent process" in repr(ws)
                calls = [ws.ping, ws.flush, ws.close, ws.wait_closed, lambda: ws.connect(URL),
                         lambda: ws.output_stream.write(b"x"), lambda: ws.set_request_header("X", "y"),
                         lambda: ws.set_connected_socket(None)]
                if isinstance(ws, curlwire.StreamWebSocket):
                    calls += [lambda: ws.input_stream.read(1), lambda: ws.input_stream.readinto(bytearray(1))]
                else:
                    calls += [ws.recv, lambda: ws.recv(copy=False), lambda: ws.recv_into(bytearray(9)),
                              lambda: next(ws), lambda: ws.send("x"), lambda: ws.send_many(["x"]),
                              lambda: ws.try_send("x"), lambda: ws.send_final_frame("x"),
                              lambda: ws.send_nonfinal_frame("x")]
                for call in calls:
                    try:
                        call()
                        print(call)
                    except curlwire.StateError:
                        pass
            sys.stdout.flush()
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for ws in sockets:
            ws.ping(timeout=50)
            ws.close()
            ws.wait_closed(timeout=50)
        print(status)
        """,
        "0\n",
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_fork_leaves_nothing_to_wait_for() -> None:
    assert_quiet(
        """
        import warnings
        warnings.simplefilter("ignore")
        ws = curlwire.connect(URL + "/")
        ws.on_closed = lambda ws, args: None
        child = os.fork()
        if child == 0:
            print(repr(ws), repr(ws.control), sep="\\n")
            try:
                ws.on_closed = print
            except curlwire.StateError:
                curlwire.run_forever()
                try:
                    ws.run_forever()
                except curlwire.StateError:
                    print("refused", flush=True)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        "<curlwire.MessageWebSocket of the parent process>\n"
        "<the control of a socket of the parent process>\nrefused\n0\n",
    )


def test_import_starts_no_thread() -> None:
    assert_quiet("print(threading.active_count(), len(os.listdir('/proc/self/task')))", "1 1\n")


def test_a_path_that_the_encoding_of_file_names_lacks() -> None:
    assert_quiet(
        """
        try:
            curlwire.MessageWebSocket(ca_file=chr(0x20ac))
        except curlwire.ArgumentError as error:
            print("encoding" in str(error))
        """,
        "True\n",
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )


def test_the_environment_is_there() -> None:
    assert echo().startswith("ws://")
