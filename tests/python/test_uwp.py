# SPDX-License-Identifier: MIT
"""docs/uwp.md has every member of UWP's classes and of ours, and each row names a test that uses the member."""

import queue
import re
from pathlib import Path
from typing import Any

import pytest

import curlwire
from peers import WAIT, echo, opened_stream

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/uwp.md").read_text()
HEADER = (ROOT / "core/include/curlwire.h").read_text()
ANNOTATIONS = (ROOT / "bindings/lua/curlwire/annotations.lua").read_text()
NONE = "none"  # the language has no such member, and the row says why

READER, WRITER = "DataReader", "DataWriter"
VALIDATION = "Arguments of the certificate's event"
SOCKETS, CONTROL, INFORMATION = "MessageWebSocket and StreamWebSocket", "Control", "Information"
ARGUMENTS, STREAMS, TYPES, OTHERS, OURS = (
    "Arguments of the events", "Streams", "Types", "Enumerations and errors", "Ours alone"
)  # fmt: skip
# The members of UWP's classes, by the section of the page.
UWP = {
    SOCKETS: """
        constructor Control Information OutputStream InputStream ConnectAsync SetRequestHeader
        SendFinalFrameAsync SendNonfinalFrameAsync Close(code,reason) Close Dispose MessageReceived Closed
        ServerCustomValidationRequested
        """,
    CONTROL: """
        MessageType MaxMessageSize ReceiveMode NoDelay OutboundBufferSizeInBytes SupportedProtocols
        DesiredUnsolicitedPongInterval ActualUnsolicitedPongInterval ServerCredential ProxyCredential
        ClientCertificate IgnorableServerCertificateErrors
        """,
    INFORMATION: """
        LocalAddress Protocol BandwidthStatistics
        ServerCertificate ServerIntermediateCertificates ServerCertificateErrors
        ServerCertificateErrorSeverity
        OutboundBitsPerSecond InboundBitsPerSecond OutboundBitsPerSecondInstability
        InboundBitsPerSecondInstability OutboundBandwidthPeaked InboundBandwidthPeaked
        """,
    ARGUMENTS: "MessageType GetDataReader GetDataStream IsMessageComplete Code Reason",
    READER: """
        constructor FromBuffer UnconsumedBufferLength UnicodeEncoding ByteOrder InputStreamOptions LoadAsync
        ReadByte ReadInt16 ReadInt32 ReadInt64 ReadUInt16 ReadUInt32 ReadUInt64 ReadSingle
        ReadDouble ReadBoolean ReadBytes ReadBuffer ReadGuid ReadDateTime ReadTimeSpan ReadString
        DetachBuffer DetachStream Close
        """,
    WRITER: """
        constructor UnstoredBufferLength UnicodeEncoding ByteOrder WriteByte WriteInt16 WriteInt32 WriteInt64
        WriteUInt16 WriteUInt32 WriteUInt64 WriteSingle WriteDouble WriteBoolean WriteBytes
        WriteBuffer WriteGuid WriteDateTime WriteTimeSpan WriteString MeasureString StoreAsync
        FlushAsync DetachBuffer DetachStream Close
        """,
    VALIDATION: """
        ServerCertificate ServerIntermediateCertificates ServerCertificateErrors
        ServerCertificateErrorSeverity Reject GetDeferral Deferral.Complete
        """,
    STREAMS: "IInputStream.ReadAsync IOutputStream.WriteAsync IOutputStream.FlushAsync IClosable.Close",
    TYPES: """
        IWebSocket MessageWebSocketControl StreamWebSocketControl MessageWebSocketInformation
        StreamWebSocketInformation MessageWebSocketMessageReceivedEventArgs WebSocketClosedEventArgs
        WebSocketServerCustomValidationRequestedEventArgs Deferral BandwidthStatistics Certificate
        IInputStream IOutputStream IBuffer Buffer PasswordCredential HostName IAsyncAction
        IAsyncOperationWithProgress DataReaderLoadOperation DataWriterStoreOperation AsyncStatus
        """,
    OTHERS: """
        SocketMessageType MessageWebSocketReceiveMode ChainValidationResult WebErrorStatus
        WebSocketError.GetStatus InputStreamOptions UnicodeEncoding ByteOrder SocketSslErrorSeverity
        """,
}
CLASSES: dict[str, tuple[object, ...]] = {
    SOCKETS: (curlwire.MessageWebSocket, curlwire.StreamWebSocket, curlwire),
    CONTROL: (curlwire.MessageWebSocketControl, curlwire.StreamWebSocketControl),
    INFORMATION: (curlwire.Information, curlwire.BandwidthStatistics),
    ARGUMENTS: (curlwire.MessageReceivedEventArgs, curlwire.ClosedEventArgs),
    READER: (curlwire.DataReader, curlwire),
    WRITER: (curlwire.DataWriter, curlwire),
    VALIDATION: (curlwire.ServerCustomValidationRequestedEventArgs, curlwire.Deferral),
    STREAMS: (curlwire.InputStream, curlwire.OutputStream),
    TYPES: (curlwire, curlwire.MessageWebSocketControl, curlwire.Information),
    OTHERS: (curlwire, curlwire.MessageWebSocketControl, curlwire.Information),
}
SECTION_OF = {"sockets": SOCKETS, "information": INFORMATION, "arguments": ARGUMENTS}


def rows(section: str) -> list[list[str]]:
    """Returns the cells of a section's table, without its head."""
    _, found, text = PAGE.partition(f"\n## {section}\n")
    assert found, section
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return [row for row in cells if row[0] not in ("UWP", "of", "---")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def public(section: str) -> set[str]:
    """Returns the members of our classes."""
    found = {
        name for owner in CLASSES[section] if owner is not curlwire for name in dir(owner) if name[0] != "_"
    }
    return found - {"count", "index"}  # the arguments are tuples


ROWS = [(section, row) for section in UWP for row in rows(section)]
IDS = [f"{section}: {row[0]}" for section, row in ROWS]


@pytest.mark.parametrize("section", UWP)
def test_no_member_of_uwp_is_missing(section: str) -> None:
    found = [name.replace(" ", "") for row in rows(section) for name in names(row[0])] + [
        row[0] for row in rows(section) if not names(row[0])
    ]
    assert sorted(found) == sorted(UWP[section].split())


@pytest.mark.parametrize(("section", "row"), ROWS, ids=IDS)
def test_a_row_names_what_there_is(section: str, row: list[str]) -> None:
    _, python, lua, c, note, _ = row
    assert note
    for name in names(python):
        assert any(hasattr(owner, name) for owner in CLASSES[section]), name
    for name in names(lua):
        assert re.search(rf"(---@field |[.:]){name}\b", ANNOTATIONS), name
    for name in names(c):
        assert re.search(rf"\b{name}\b", HEADER), name
    for cell in (python, lua, c):
        assert names(cell) or cell == NONE


@pytest.mark.parametrize(("section", "row"), ROWS, ids=IDS)
def test_a_row_names_a_test_of_the_member(section: str, row: list[str]) -> None:
    del section
    (place,) = names(row[5])
    file, _, test = place.partition("::")
    text = (ROOT / "tests/python" / file).read_text()
    _, found, body = text.partition(f"\ndef {test}(")
    assert found, place
    body = re.split(r"\n(?:def|class|@pytest) ?", body)[0]
    used = [name for name in names(row[1]) if re.search(rf"\b{name}\b", body) or is_built(name, body, text)]
    is_without_name = row[1] == NONE or any(name.startswith("__") for name in names(row[1]))
    assert used or is_without_name, row[1]


def is_built(name: str, body: str, text: str) -> bool:
    """Whether a test makes the member's name from its parameters, as in f"read_{name}"."""
    verb, _, value = name.partition("_")
    return f"{verb}_{{name}}" in body and f'("{value}",' in text


@pytest.mark.parametrize("section", [SOCKETS, READER, WRITER, CONTROL, INFORMATION, ARGUMENTS])
def test_no_member_of_ours_is_missing(section: str) -> None:
    listed = {name for row in rows(section) for name in names(row[1])}
    ours = [row for row in rows(OURS) if SECTION_OF[row[0]] == section]
    listed |= {name for row in ours for name in names(row[1])}
    if section == CONTROL:
        listed |= set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/controls.md").read_text(), re.M))
    assert public(section) <= listed
    for row in ours:
        for name in names(row[1]):
            assert name in public(section), name
        for name in names(row[3]):
            assert re.search(rf"\b{name}\b", HEADER), name


def test_the_types_of_a_connection() -> None:
    heard: queue.Queue[Any] = queue.Queue()
    with curlwire.MessageWebSocket() as ws:
        ws.on_message_received = ws.on_closed = lambda _, args: heard.put(args)
        ws.connect(echo())
        ws.send("x")
        args = heard.get(timeout=WAIT)
        assert type(args) is curlwire.MessageReceivedEventArgs
        assert isinstance(args, curlwire.MessageBuffer)
        assert isinstance(ws, curlwire.WebSocket)
        assert type(ws.control) is curlwire.MessageWebSocketControl
        assert type(ws.output_stream) is curlwire.OutputStream
    assert type(heard.get(timeout=WAIT)) is curlwire.ClosedEventArgs
    with opened_stream() as stream:
        assert isinstance(stream, curlwire.WebSocket)
        assert type(stream.control) is curlwire.StreamWebSocketControl
        assert type(stream.input_stream) is curlwire.InputStream
        assert type(stream.output_stream) is curlwire.OutputStream
        for each in (ws, stream):
            assert type(each.information) is curlwire.Information
            assert type(each.information.bandwidth_statistics) is curlwire.BandwidthStatistics


def test_the_scenarios_are_the_programs_of_the_examples() -> None:
    listed = []
    for _, python, lua, shown, place in rows("Scenarios"):
        files = [re.fullmatch(rf"\[(uwp_\w+{end})\]\(\.\./examples/\1\)", cell) for end, cell in
                 ((r"\.py", python), (r"\.lua", lua))]  # fmt: skip
        paths = [ROOT / "examples" / file[1] for file in files if file]
        assert len(paths) == 2, python
        listed += paths
        for path in paths:
            text = path.read_text()
            assert all(re.search(rf"\b{name}\b", text) for name in names(shown)), path
        file_name, _, test = names(place)[0].partition("::")
        text = (ROOT / "tests/python" / file_name).read_text()
        assert paths[0].stem in text.partition(f"\ndef {test}(")[2].partition("\ndef ")[0], place
    assert sorted(listed) == sorted((ROOT / "examples").glob("uwp_*"))
