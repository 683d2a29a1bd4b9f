# SPDX-License-Identifier: MIT
"""Eight threads send, receive, ping and close on the same four sockets. No message may be lost, come twice, or
come out of its sender's order. tests/core/test_stress.c is a longer one, under ThreadSanitizer."""

import random
import threading
import time
import zlib
from collections import defaultdict

import curlwire
from peers import WAIT, ca_file, url

PEERS = ("CW_ECHO_WS", "CW_ECHO_WSS", "CW_NODE_WS", "CW_NGINX_WS")
THREADS = 8
SECONDS = 3.0


class Life:
    """One socket from its connect to its end, and the messages that it carried."""

    def __init__(self, name: str, *, has_handler: bool) -> None:
        self.users = 0
        self.is_cut = False
        self.closed: list[curlwire.ClosedEventArgs] = []
        self.sent = [0] * THREADS  # messages sent, by thread
        self.taken: list[list[int]] = [[] for _ in range(THREADS)]  # messages received, by sender
        self.latest: defaultdict[tuple[int, int], int] = defaultdict(int)  # last number, by receiver, sender
        self.has_handler = has_handler
        self.socket = curlwire.MessageWebSocket(
            ca_file=ca_file(), ping_interval=0.5, send_timeout=0.5, receive_timeout=0.01
        )
        self.socket.on_closed = lambda _, args: self.closed.append(args)
        if has_handler:
            self.socket.on_message_received = lambda _, args: self.check(THREADS, args.data)
        self.socket.connect(url(name), timeout=WAIT)

    def check(self, receiver: int, message: str | bytes) -> None:
        data = message if isinstance(message, bytes) else message.encode()
        sender, number, check, body = data.split(b" ", 3)
        assert zlib.crc32(body) == int(check)
        assert isinstance(message, str) == (int(number) % 4 == 0)
        key = receiver, int(sender)
        assert self.latest[key] < int(number)
        self.latest[key] = int(number)
        self.taken[int(sender)].append(int(number))

    def send(self, me: int, choose: random.Random) -> None:
        number = self.sent[me] + 1
        body = (b"%d" % number) * choose.randrange(300)
        data = b"%d %d %d %b" % (me, number, zlib.crc32(body), body)
        self.socket.send(data.decode() if number % 4 == 0 else data)
        self.sent[me] = number

    def receive(self, me: int) -> None:
        if not self.has_handler:
            self.check(me, self.socket.recv())

    def do_one(self, me: int, choose: random.Random) -> None:
        call = choose.choice((self.send, self.send, self.receive, self.receive, self.receive, self.ping))
        try:
            if call == self.receive:
                self.receive(me)
            else:
                call(me, choose)  # type: ignore[call-arg]
        except TimeoutError:
            pass
        except curlwire.ConnectionClosed as error:
            # If the server stalls for send_timeout in the middle of a message, the connection is dropped.
            assert self.is_cut or error.status is curlwire.WebErrorStatus.TIMEOUT, error
            self.is_cut = True

    def ping(self, me: int, choose: random.Random) -> None:
        self.socket.ping(timeout=0.2)

    def is_all_back(self) -> bool:
        return all(len(taken) >= sent for taken, sent in zip(self.taken, self.sent, strict=True))

    def end(self) -> None:
        """Checks the received messages. The last thread calls it. All must have come unless it was aborted."""
        until = time.monotonic() + WAIT
        while not self.is_cut and not self.is_all_back():
            assert time.monotonic() < until, "messages were lost"
            if self.has_handler:
                time.sleep(0.01)  # lets the dispatcher thread run
            else:
                self.check(THREADS, self.socket.recv(timeout=WAIT))
        self.socket.close()
        self.socket.wait_closed(WAIT)
        self.socket.run_forever()
        assert [args.code in (1000, 1006) if self.is_cut else args.code == 1000 for args in self.closed] == [
            True
        ]
        for taken, sent in zip(self.taken, self.sent, strict=True):
            assert sorted(taken) == list(range(1, len(taken) + 1))  # each once, without a gap
            assert len(taken) == sent or (self.is_cut and len(taken) < sent)


class Slot:
    """Holds one socket, and replaces it after it was closed."""

    def __init__(self, number: int) -> None:
        self.name = PEERS[number]
        self.has_handler = number == 0
        self.changed = threading.Condition()
        self.life = Life(self.name, has_handler=self.has_handler)

    def visit(self, me: int, choose: random.Random) -> None:
        with self.changed:
            life = self.life
            life.users += 1
        try:
            if choose.random() < 0.003:
                self.replace(life, choose)
            else:
                life.do_one(me, choose)
        finally:
            with self.changed:
                life.users -= 1
                self.changed.notify_all()

    def replace(self, life: Life, choose: random.Random) -> None:
        with self.changed:
            if self.life is not life:
                return
            self.life = Life(self.name, has_handler=self.has_handler)
        how = choose.randrange(3)
        if how > 0:
            life.is_cut = True
            if how == 1:
                life.socket.abort()
            else:
                life.socket.close()
        self.finish(life)

    def finish(self, life: Life) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: life.users == 1, WAIT)
        life.end()


def test_threads_on_the_same_sockets() -> None:
    slots = [Slot(number) for number in range(len(PEERS))]
    until = time.monotonic() + SECONDS
    errors: list[BaseException] = []
    lives: list[int] = []

    def work(me: int) -> None:
        choose = random.Random(me)
        try:
            while time.monotonic() < until and not errors:
                choose.choice(slots).visit(me, choose)
                lives.append(me)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4 * WAIT)
    assert not errors, errors
    for slot in slots:
        slot.life.users = 1
        slot.finish(slot.life)
    assert len(set(lives)) == THREADS
