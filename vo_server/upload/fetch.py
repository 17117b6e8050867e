"""Uploads by URL: public addresses only, the address that was checked being the one connected to."""

import ipaddress
import socket
import ssl
import tempfile
import time
from collections.abc import Iterable
from typing import BinaryIO, Final, cast
from urllib.parse import urljoin, urlsplit

import httpcore

from vo_server import __version__
from vo_server.errors import TooLargeError, UsageError

MAX_REDIRECTS: Final = 5

IN_MEMORY: Final = 1 << 22
"""Bytes above which what arrives goes to disk."""

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 20.0
ALL_SECONDS: Final = 60.0
"""How long the connection, each read, and the whole fetch may take."""

_REDIRECTS = {301, 302, 303, 307, 308}
_NAT64 = ipaddress.ip_network("64:ff9b::/32")
_HEADERS: list[tuple[bytes | str, bytes | str]] = [
    ("User-Agent", f"vo-server/{__version__}"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "identity"),
]


def fetch(url: str, limit: int, *, private: bool = False) -> BinaryIO:
    """What `url` (http or https) holds, in a temporary file at its beginning; the caller closes it.

    Nothing but the URL is sent: no cookies, no credentials. Addresses that are not public are refused
    unless `private`. Raises UsageError, and TooLargeError above `limit` bytes.
    """
    deadline = time.monotonic() + ALL_SECONDS
    with httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context(), network_backend=_CheckedNetwork(private)
    ) as pool:
        for _ in range(MAX_REDIRECTS + 1):
            target = _get(pool, url, limit, deadline)
            if not isinstance(target, str):
                return target
            url = target
    raise UsageError(f"more than {MAX_REDIRECTS} redirections, the last one to {url}")


def _get(pool: httpcore.ConnectionPool, url: str, limit: int, deadline: float) -> BinaryIO | str:
    """The bytes, or the URL that the answer redirects to."""
    _check_url(url)
    timeouts = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": 1.0}
    try:
        with pool.stream("GET", url, headers=_HEADERS, extensions={"timeout": timeouts}) as answer:
            headers = {k.lower().decode("latin-1"): v.decode("latin-1") for k, v in answer.headers}
            if answer.status in _REDIRECTS and headers.get("location"):
                return urljoin(url, headers["location"])
            if answer.status != 200:
                raise UsageError(f"{url} answers with status {answer.status}, not 200")
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise UsageError(f"{url} answers compressed, though that was not asked for")
            _check_size(int(headers.get("content-length", "0")), limit)
            return _spooled(answer.iter_stream(), limit, deadline)
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise UsageError(f"{url} cannot be read: {error or type(error).__name__}") from error
    except (httpcore.UnsupportedProtocol, ValueError, UnicodeError) as error:
        raise UsageError(f"{url[:200]!r} is not a URL that can be read") from error


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url[:200]!r} is not a URL") from error
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"{url[:200]!r} is no http or https URL")
    if "@" in parts.netloc:
        raise UsageError("a URL with a user name or password is not fetched; give one that is public")


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLargeError(f"the file has {size} bytes; this service accepts {limit} bytes (uploadLimit)")


def _spooled(chunks: Iterable[bytes], limit: int, deadline: float) -> BinaryIO:
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the caller closes it
    size = 0
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooLargeError(
                    f"the file is larger than the {limit} bytes that are accepted (uploadLimit)"
                )
            if time.monotonic() > deadline:
                raise UsageError(f"the file did not arrive within {ALL_SECONDS:g} s")
            file.write(chunk)
        file.seek(0)
    except (
        UsageError,
        TooLargeError,
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
    ):
        file.close()
        raise
    return cast(BinaryIO, file)


class _CheckedNetwork(httpcore.NetworkBackend):
    """Connects to the very addresses that were checked, so that a second look-up cannot differ."""

    def __init__(self, private: bool) -> None:
        self._private = private
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of `host` that answers."""
        addresses = public_addresses(host, port, private=self._private)
        for address in addresses[:-1]:
            try:
                return self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._network.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


def public_addresses(host: str, port: int, *, private: bool = False) -> list[str]:
    """The addresses of `host`. Raises UsageError if one of them is not public (unless `private`)."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"the host {host} is not known") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not private and not all(map(is_public, addresses)):
        raise UsageError(f"the host {host} has a private address, from which this service does not read")
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet at large, also the IPv4 address that an IPv6 one holds."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return False
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
