# SPDX-License-Identifier: MIT
"""Calls in another loop than that of the socket: they are refused, or done in the right loop."""

import threading
from typing import Any

import pytest

from curlwire import StateError
from loops import Loop, loop, round_trip, until
from peers import WAIT, echo

__all__ = ["loop"]


def in_another_loop(loop: Loop, call: Any) -> None:
    """Runs a coroutine function in a loop of another thread, while this loop waits."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            Loop(loop.name).run(call)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(WAIT)
    assert failures == []


def test_a_refused_call_changes_nothing(loop: Loop) -> None:
    async def main() -> None:
        async with loop.api.connect(echo()) as ws, loop.api.ReconnectingWebSocket(echo()) as again:

            async def other() -> None:
                with pytest.raises(StateError, match="another event loop"):
                    await ws.close()
                with pytest.raises(StateError, match="another event loop"):
                    ws.output_stream.close()
                with pytest.raises(StateError, match="another event loop"):
                    again.reconnect()

            in_another_loop(loop, other)
            assert (ws.state, again._driver.must_renew) == ("open", False)
            await round_trip(ws)

    loop.run(main)


def test_abort_is_done_in_the_right_loop(loop: Loop) -> None:
    async def main() -> None:
        ws = loop.api.ReconnectingWebSocket(echo())
        await ws.connect()

        async def other() -> None:
            ws.abort()

        in_another_loop(loop, other)
        assert ws.state == "open"  # this loop has not run since
        await until(lambda: ws._driver.has_finished)

    loop.run(main)
