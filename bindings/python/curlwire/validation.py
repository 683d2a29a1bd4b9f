# SPDX-License-Identifier: MIT
"""The question whether this program accepts the server's certificate, and the objects that its handler gets.

A question has no lock: each step is one call of a list, which is atomic. If two threads end the last deferral
at the same time, both answer, and the first answer counts.
"""

import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, NoReturn

from curlwire._core import WebSocket
from curlwire.certificates import Certificate, ChainValidationResult
from curlwire.errors import StateError
from curlwire.information import Information
from curlwire.synchronous import check_result

_ACCEPT, _REJECT, _NONE = 0, 1, 2  # the values of cw_answer


class _Question:
    """The question of one connect: what the handler has said so far."""

    def __init__(self, socket: WebSocket) -> None:
        # connect() keeps the socket alive while the question waits
        self.socket: weakref.ref[WebSocket] = weakref.ref(socket)
        self.is_rejected: bool = False
        self.is_answered: bool = False
        self.waiting: list[object] = []  # one item for the handler that runs, and one for each deferral

    def end(self, item: object) -> None:
        """Notes that the handler has returned or a deferral is complete. The last of them answers."""
        with suppress(ValueError):
            self.waiting.remove(item)
        if not self.waiting:
            self.answer(_REJECT if self.is_rejected else _ACCEPT)

    def answer(self, answer: int) -> None:
        self.is_answered = True
        socket = self.socket()
        if socket is not None:
            with suppress(StateError):  # the connect has ended, or was answered before
                socket._answer_certificate(answer)


class Deferral:
    """Makes the connect wait for complete(), after the handler of the certificate has returned.

    A deferral that is dropped without complete() rejects the certificate, and the error says so.
    """

    def __init__(self, question: _Question) -> None:
        self._question: list[_Question] = [question]
        self._token: object = object()
        question.waiting.append(self._token)

    def complete(self) -> None:
        """Lets the connect go on. A second call does nothing.

        Raises nothing. Does not block. Any thread may call it.
        """
        with suppress(IndexError):
            self._question.pop().end(self._token)

    def __del__(self) -> None:
        with suppress(IndexError):
            self._question.pop().answer(_NONE)


class ServerCustomValidationRequestedEventArgs:
    """What the handler on_server_custom_validation_requested gets.

    If the handler returns and nothing was rejected, the certificate is accepted.
    """

    def __init__(self, question: _Question) -> None:
        self._question: _Question = question

    def _information(self) -> Information:
        socket = self._question.socket()
        if socket is None:
            raise StateError("the socket is gone: look at the certificate while it exists")
        return socket.information

    @property
    def server_certificate(self) -> Certificate | None:
        """The certificate that the server sent. Raises StateError if the socket is gone."""
        return self._information().server_certificate

    @property
    def server_intermediate_certificates(self) -> tuple[Certificate, ...]:
        """The certificates that the server sent with its own. Raises StateError if the socket is gone."""
        return self._information().server_intermediate_certificates

    @property
    def server_certificate_errors(self) -> tuple[ChainValidationResult, ...]:
        """The errors that were ignored, as in Information. Raises StateError if the socket is gone."""
        return self._information().server_certificate_errors

    @property
    def server_certificate_error_severity(self) -> Literal["none", "ignorable", "fatal"] | None:
        """How bad they are, as in Information. Raises StateError if the socket is gone."""
        return self._information().server_certificate_error_severity

    def reject(self) -> None:
        """Rejects the certificate: connect() raises CertificateError, and the server sees no request.

        Raises StateError if the certificate was accepted before. Does not block. Any thread may call it.
        """
        if self._question.is_answered and not self._question.is_rejected:
            raise StateError(
                "the certificate was accepted before: call reject() before the handler returns, or before the "
                "complete() of its last deferral"
            )
        self._question.is_rejected = True

    def get_deferral(self) -> Deferral:
        """Returns a Deferral, with which the answer may come after the handler has returned.

        control.connect_timeout limits the wait. Raises StateError after the answer. Does not block. Any thread
        may call it.
        """
        if self._question.is_answered:
            raise StateError("the question was answered before: get the deferral before the handler returns")
        return Deferral(self._question)


async def validate_soon(core: WebSocket, owner: object, handler: Callable[..., object] | None) -> None:
    """Does the same for curlwire.eventloop, whose handlers may be coroutine functions.

    core: the socket of the core. owner: the object that the handler gets.
    """
    question = _Question(core)
    question.waiting.append(question)
    try:
        if handler is None:
            _refuse_without_handler()
        result = handler(owner, ServerCustomValidationRequestedEventArgs(question))
        if isinstance(result, Awaitable):
            await result
    except BaseException:
        question.answer(_NONE)
        raise
    question.end(question)


def _refuse_without_handler() -> NoReturn:
    raise StateError(
        "there is no handler any more, so the certificate is rejected: keep the socket until connect() returns"
    )


def validate(socket: WebSocket, handler: Callable[..., object] | None) -> None:
    """Calls the handler of the certificate. An exception, which the caller reports, rejects the certificate."""
    question = _Question(socket)
    question.waiting.append(question)
    try:
        if handler is None:
            _refuse_without_handler()
        result = handler(socket, ServerCustomValidationRequestedEventArgs(question))
        if result is not None:
            check_result(handler, result)
    except BaseException:
        question.answer(_NONE)
        raise
    question.end(question)
