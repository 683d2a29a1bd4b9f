# SPDX-License-Identifier: MIT
"""What the streams of curlwire.aio and curlwire.trio refuse, and their end."""

from typing import Any

import pytest

from loops import Loop, loop
from peers import echo, script

__all__ = ["loop"]

REFUSED: list[Any] = [5, [1, 2], None, "text"]


@pytest.mark.parametrize("kind", ["MessageWebSocket", "StreamWebSocket"])
def test_only_bytes_are_written(loop: Loop, kind: str) -> None:
    async def main() -> None:
        async with loop.api.connect(echo(), getattr(loop.api, kind)) as ws:
            stream = ws.output_stream
            for data in REFUSED:
                with pytest.raises(TypeError, match=r"^write\(\) takes a bytes-like object, not .*(str|class)"):
                    stream.write(data)
                with pytest.raises(TypeError, match=r"^writelines\(\) takes bytes-like objects, not "):
                    stream.writelines([b"a", data])
            for whole in (b"ab", "ab"):
                with pytest.raises(TypeError, match=r"^writelines\(\) takes bytes-like objects, not "):
                    stream.writelines(whole)
            for good in (b"a", bytearray(b"b"), memoryview(b"c_c")[::2]):
                stream.write(good)
            stream.writelines([bytearray(b"d"), memoryview(b"e")])
            await stream.drain()
            if kind == "StreamWebSocket":
                assert await ws.input_stream.readexactly(6) == b"abccde"
            else:
                assert [await ws.recv(decode=False) for _ in range(4)] == [b"a", b"b", b"cc", b"de"]

    loop.run(main)


def test_each_view_knows_the_end(loop: Loop) -> None:
    async def main() -> None:
        peer = script("x:8203" + b"abc".hex(), "close:1000", "hang")
        async with loop.api.connect(peer, loop.api.StreamWebSocket, close_timeout=0.1) as ws:
            parts = []
            while not ws.input_stream.at_eof() and len(parts) < 9:
                parts.append(await ws.input_stream.read(2))
            assert parts == [b"ab", b"c", b""]

    loop.run(main)
