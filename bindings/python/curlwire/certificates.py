# SPDX-License-Identifier: MIT
"""What the server's certificates say, and what is wrong with them."""

from enum import StrEnum
from typing import TYPE_CHECKING

from curlwire import _core

if TYPE_CHECKING:
    from datetime import datetime


class ChainValidationResult(StrEnum):
    """What is wrong with a server's certificate. The values are the names of UWP's ChainValidationResult.

    control.ignorable_server_certificate_errors takes UNTRUSTED, INCOMPLETE_CHAIN and INVALID_NAME.
    """

    SUCCESS = "Success"
    UNTRUSTED = "Untrusted"
    REVOKED = "Revoked"
    EXPIRED = "Expired"  # or not valid yet
    INCOMPLETE_CHAIN = "IncompleteChain"
    INVALID_SIGNATURE = "InvalidSignature"
    WRONG_USAGE = "WrongUsage"
    INVALID_NAME = "InvalidName"
    INVALID_CERTIFICATE_AUTHORITY_POLICY = "InvalidCertificateAuthorityPolicy"
    BASIC_CONSTRAINTS_ERROR = "BasicConstraintsError"
    UNKNOWN_CRITICAL_EXTENSION = "UnknownCriticalExtension"
    REVOCATION_INFORMATION_MISSING = "RevocationInformationMissing"
    REVOCATION_FAILURE = "RevocationFailure"
    OTHER_ERRORS = "OtherErrors"


class Certificate:
    """A certificate, as the server sent it. It says nothing about whether the certificate is trusted.

    Certificate(der) takes the certificate in DER, as bytes.
    A fact that the certificate lacks, or that is malformed, is None (subject_alternative_names: ()).
    Two certificates are equal if their bytes are. Any thread may use it.
    """

    __slots__ = ("_der",)

    def __init__(self, der: bytes) -> None:
        self._der: bytes = bytes(der)

    @property
    def der(self) -> bytes:
        """The certificate in DER, as bytes."""
        return self._der

    def _fact(self, key: str) -> str | None:
        return _core.certificate_fact(self._der, key) or None

    def _time(self, key: str) -> "datetime | None":
        from datetime import datetime

        text = self._fact(key)
        try:
            return datetime.fromisoformat(text) if text else None
        except ValueError:  # the 31st of February
            return None

    @property
    def subject(self) -> str | None:
        """Whom the certificate is for, a str such as "C=DE,O=Example,CN=a.example"."""
        return self._fact("subject")

    @property
    def issuer(self) -> str | None:
        """The authority that signed the certificate, a str of the same form as subject."""
        return self._fact("issuer")

    @property
    def serial_number(self) -> str | None:
        """The serial number, a str of hexadecimal digits."""
        return self._fact("serial_number")

    @property
    def valid_from(self) -> "datetime | None":
        """The beginning of the time in which the certificate is valid, a datetime in UTC."""
        return self._time("valid_from")

    @property
    def valid_to(self) -> "datetime | None":
        """The end of the time in which the certificate is valid, a datetime in UTC."""
        return self._time("valid_to")

    @property
    def subject_alternative_names(self) -> tuple[str, ...]:
        """The names that the certificate is for, a tuple of str: "DNS:a.example", "IP:192.0.2.1", "URI:..."."""
        return tuple((self._fact("subject_alternative_names") or "").splitlines())

    @property
    def sha1_fingerprint(self) -> str:
        """The SHA-1 of der, a str of 40 hexadecimal digits."""
        return _core.certificate_fact(self._der, "sha1_fingerprint")

    @property
    def sha256_fingerprint(self) -> str:
        """The SHA-256 of der, a str of 64 hexadecimal digits."""
        return _core.certificate_fact(self._der, "sha256_fingerprint")

    @property
    def pem(self) -> str:
        """The certificate in PEM, a str."""
        return _core.certificate_fact(self._der, "pem")

    def __eq__(self, other: object) -> bool:
        return self._der == other._der if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._der)

    def __repr__(self) -> str:
        return f"<curlwire.Certificate {self.subject} from {self.issuer}>"
