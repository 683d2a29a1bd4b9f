# SPDX-License-Identifier: MIT
"""Translates an ssl.SSLContext into curlwire's controls. libcurl does the TLS, and cannot use the context.

Settings of a context that Python can read are translated. A setting that has no control raises
NotImplementedError. Python cannot read what load_cert_chain() has loaded, nor a folder of authorities: the
class SSLContext of this module records both.
"""

import os
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeAlias

from curlwire import _core

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, StrOrBytesPath

__all__ = ["SSLContext", "create_default_context"]

_Password: TypeAlias = Callable[[], str | bytes | bytearray] | str | bytes | bytearray

# They change nothing here: curlwire has no such old version or feature, or they matter to servers only.
_WITHOUT_EFFECT = (
    "OP_ALL",
    "OP_CIPHER_SERVER_PREFERENCE",
    "OP_ENABLE_MIDDLEBOX_COMPAT",
    "OP_NO_COMPRESSION",
    "OP_NO_RENEGOTIATION",
    "OP_NO_SSLv2",
    "OP_NO_SSLv3",
    "OP_NO_TICKET",
    "OP_NO_TLSv1",
    "OP_NO_TLSv1_1",
    "OP_SINGLE_DH_USE",
    "OP_SINGLE_ECDH_USE",
)
# VERIFY_X509_STRICT and PARTIAL_CHAIN are in the default context of Python 3.13 and later.
_VERIFY_FLAGS = ("VERIFY_X509_TRUSTED_FIRST", "VERIFY_X509_PARTIAL_CHAIN", "VERIFY_X509_STRICT")


def refuse(what: str, instead: str) -> NoReturn:
    """Raises the error for what curlwire cannot do in the way of websockets."""
    raise NotImplementedError(f"{what} cannot be used with curlwire: {instead}")


class SSLContext(ssl.SSLContext):
    """An ssl.SSLContext that records what it loads, so that curlwire can load it too."""

    def __new__(cls, protocol: int = ssl.PROTOCOL_TLS_CLIENT) -> Self:
        """Makes a context for clients."""
        self = super().__new__(cls, protocol)
        self._certificate = None
        self._authorities = []
        self._folders = []
        self._has_defaults = False
        return self

    _certificate: tuple[str, str | None, str | None] | None
    _authorities: list[bytes]
    _folders: list[str]
    _has_defaults: bool

    def load_cert_chain(
        self,
        certfile: "StrOrBytesPath",
        keyfile: "StrOrBytesPath | None" = None,
        password: _Password | None = None,
    ) -> None:
        """Loads the certificate of the client, and its key, from PEM files."""
        given = password() if callable(password) else password
        super().load_cert_chain(certfile, keyfile, given)
        text = given.decode() if isinstance(given, (bytes, bytearray)) else given
        key = None if keyfile is None else os.fsdecode(keyfile)
        self._certificate = (os.fsdecode(certfile), key, text)

    def load_verify_locations(
        self,
        cafile: "StrOrBytesPath | None" = None,
        capath: "StrOrBytesPath | None" = None,
        cadata: "str | ReadableBuffer | None" = None,
    ) -> None:
        """Loads authorities from a PEM file, a folder, PEM text or DER bytes."""
        super().load_verify_locations(cafile, capath, cadata)
        if cafile is not None:
            self._authorities.append(Path(os.fsdecode(cafile)).read_bytes())
        if capath is not None:
            self._folders.append(os.fsdecode(capath))
        if isinstance(cadata, str):
            self._authorities.append(cadata.encode())
        elif cadata is not None:
            self._authorities.append(_pem(bytes(cadata)))

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """Loads the authorities of the system."""
        super().load_default_certs(purpose)
        self._has_defaults = True

    def set_default_verify_paths(self) -> None:
        """Loads the authorities of the system."""
        super().set_default_verify_paths()
        self._has_defaults = True


def create_default_context(
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
    *,
    cafile: "StrOrBytesPath | None" = None,
    capath: "StrOrBytesPath | None" = None,
    cadata: "str | ReadableBuffer | None" = None,
) -> SSLContext:
    """Returns an SSLContext of this module with the settings of ssl.create_default_context()."""
    if purpose is not ssl.Purpose.SERVER_AUTH:
        raise ValueError("curlwire is a client: purpose must be ssl.Purpose.SERVER_AUTH")
    context = SSLContext()
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags.VERIFY_X509_STRICT
    if cafile is None and capath is None and cadata is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile, capath, cadata)
    return context


def _pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


def _fresh() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


_system: dict[tuple[str | None, str | None], frozenset[bytes]] = {}  # reading them takes 20 ms


def _of_system() -> frozenset[bytes]:
    """Returns the authorities of Python's default context, as far as Python can read them."""
    key = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    found = _system.get(key)
    if found is None:
        found = frozenset(ssl.create_default_context().get_ca_certs(binary_form=True))
        _system.clear()  # so that it stays small
        _system[key] = found
    return found


def system_file() -> str | None:
    """Returns the file of the system's authorities, or None if there is no file."""
    found = (_core.build_info()["authorities"] or "").partition(": ")[2]
    return found if os.path.isfile(found) else None


def _union(context: SSLContext) -> bytes:
    """Returns the authorities of the system and those that a context has loaded beside them."""
    file = system_file()
    if file is None:
        refuse(
            "a context that has the system's authorities and others",
            "the system's are not in a file here; set the controls ca_path and ca_data on curlwire.aio",
        )
    return b"\n".join([Path(file).read_bytes(), *context._authorities])


def _recorded(context: SSLContext) -> dict[str, Any]:
    if len(context._folders) > 1:
        refuse("a context with several folders of authorities", "the control ca_path takes one")
    controls: dict[str, Any] = {}
    if context._folders:
        controls["ca_path"] = context._folders[0]
    if context._authorities:
        has_both = context._has_defaults and not context._folders
        controls["ca_data"] = _union(context) if has_both else b"\n".join(context._authorities)
    if not controls and not context._has_defaults:
        refuse("a context without authorities", "load some, or call load_default_certs()")
    return controls


def _authorities(context: ssl.SSLContext) -> dict[str, Any]:
    if context.cert_store_stats()["crl"]:
        refuse("a context with revocation lists", "give curlwire.aio the file by the control crl_file")
    if isinstance(context, SSLContext):
        return _recorded(context)
    found = context.get_ca_certs(binary_form=True)
    if context.cert_store_stats()["x509"] > len(found):
        refuse(
            "an ssl.SSLContext with a trusted certificate that is no authority",
            "Python cannot read it. Use curlwire.compat.websockets.SSLContext, or the control ca_file",
        )
    if frozenset(found) == _of_system():
        return {}  # also if neither can be read, because the system has a folder
    if not found:
        refuse(
            "an ssl.SSLContext without authorities that Python can read",
            "use curlwire.compat.websockets.SSLContext, or the controls ca_file and ca_path",
        )
    return {"ca_data": b"".join(map(_pem, found))}


def _versions(context: ssl.SSLContext) -> dict[str, Any]:
    version = ssl.TLSVersion
    least, most = context.minimum_version, context.maximum_version
    if least not in (version.MINIMUM_SUPPORTED, version.TLSv1_2, version.TLSv1_3):
        refuse(f"minimum_version {least.name}", "the control tls_min_version takes 1.2 or 1.3")
    if most not in (version.MAXIMUM_SUPPORTED, version.TLSv1_2, version.TLSv1_3):
        refuse(f"maximum_version {most.name}", "the control tls_max_version takes 1.2 or 1.3")
    controls = {}
    if least == version.TLSv1_3 or context.options & ssl.Options.OP_NO_TLSv1_2:
        controls["tls_min_version"] = "1.3"
    if most == version.TLSv1_2 or context.options & ssl.Options.OP_NO_TLSv1_3:
        controls["tls_max_version"] = "1.2"
    if len(controls) == 2:
        refuse("a context without any version of TLS", "allow TLS 1.2 or 1.3")
    return controls


def _ciphers(context: ssl.SSLContext) -> dict[str, Any]:
    ciphers, usual = context.get_ciphers(), _fresh().get_ciphers()
    if ciphers == usual:
        return {}
    controls = {}
    for control, is_new in (("tls_ciphers", False), ("tls13_ciphers", True)):
        names, others = (
            [one["name"] for one in some if (one["protocol"] == "TLSv1.3") is is_new]
            for some in (ciphers, usual)
        )
        if names and names != others:
            controls[control] = ":".join(names)
    return controls


def _check_rest(context: ssl.SSLContext) -> None:
    """Raises NotImplementedError for what has no control."""
    fresh = _fresh()
    if context.protocol not in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS):
        refuse(f"a context of {context.protocol.name}", "make it with ssl.PROTOCOL_TLS_CLIENT")
    known = ssl.Options.OP_NO_TLSv1_2 | ssl.Options.OP_NO_TLSv1_3
    for name in _WITHOUT_EFFECT:
        known |= getattr(ssl.Options, name, 0)
    changed = ssl.Options(context.options ^ fresh.options) & ~known
    if changed:
        refuse(f"a context with other options ({changed!r})", "set the tls_ controls on curlwire.aio")
    flags = context.verify_flags
    for name in _VERIFY_FLAGS:
        flags &= ~getattr(ssl.VerifyFlags, name, 0)
    if flags:
        refuse(f"a context with verify_flags {flags!r}", "set crl_file or ocsp_stapling on curlwire.aio")
    for name, instead in (
        ("post_handshake_auth", "use the control client_certificate"),
        ("sni_callback", "it is for servers"),
        ("security_level", "choose ciphers with the control tls_ciphers"),
        ("hostname_checks_common_name", "set ignorable_server_certificate_errors on curlwire.aio"),
    ):
        if getattr(context, name, None) != getattr(fresh, name, None):
            refuse(f"a context with {name}", instead)
    if context.keylog_filename not in (None, os.environ.get("SSLKEYLOGFILE")):
        refuse("a context with keylog_filename", "set the environment variable SSLKEYLOGFILE, as for libcurl")


def controls_of(context: ssl.SSLContext) -> dict[str, Any]:
    """Returns the controls that do what a context says. Raises NotImplementedError if there are none."""
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl must be an ssl.SSLContext, not {type(context).__name__}")
    _check_rest(context)
    controls = {**_versions(context), **_ciphers(context)}
    if context.verify_mode == ssl.CERT_NONE:
        controls["verify"] = False
    else:
        controls.update(_authorities(context))
        if not context.check_hostname:
            controls["ignorable_server_certificate_errors"] = ["InvalidName"]
    if isinstance(context, SSLContext) and context._certificate is not None:
        names = ("client_certificate", "client_key", "client_key_password")
        controls.update({n: v for n, v in zip(names, context._certificate, strict=True) if v is not None})
    return controls
