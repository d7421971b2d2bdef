"""HTTP/2 frames as bytes, well formed or not (RFC 9113)."""

import struct
from collections.abc import Mapping

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
UNKNOWN = 0xEE
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
INITIAL_WINDOW_SIZE = 4
CANCEL = 8
SERVICE = "/tapegate.v1.TapeService"
HEALTH = "/grpc.health.v1.Health"
REFLECTION = "/grpc.reflection.v1.ServerReflection"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def settings(values: Mapping[int, int] = {}) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack("!HI", *pair) for pair in values.items()))


def settings_ack() -> bytes:
    return frame(SETTINGS, ACK, 0)


def preface(values: Mapping[int, int] = {}) -> bytes:
    """How a client begins."""
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings(values)


def window(stream: int, bytes_: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", bytes_))


def reset(stream: int) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack("!I", CANCEL))


def data(stream: int, payload: bytes, flags: int = 0) -> bytes:
    return frame(DATA, flags, stream, payload)


def of_stream(frame: bytes, stream: int) -> bytes:
    """The same frame on another stream."""
    return frame[:5] + struct.pack("!I", stream) + frame[9:]


def integer(value: int, prefix: int, first: int = 0) -> bytes:
    """An integer of HPACK (RFC 7541, section 5.1)."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    digits, value = [first | most], value - most
    while value >= 128:
        digits.append(value % 128 + 128)
        value //= 128
    return bytes([*digits, value])


def field(name: str, value: str, is_indexed: bool = False) -> bytes:
    """A header field as a literal, which enters the dynamic table if it is indexed."""
    texts = [name.encode(), value.encode()]
    return (b"\x40" if is_indexed else b"\x00") + b"".join(integer(len(text), 7) + text for text in texts)


def call_fields(method: str, token: str | None = None, more: Mapping[str, str] = {}, service: str = SERVICE) -> bytes:
    """The header block of a call."""
    fields = {":method": "POST", ":scheme": "http", ":path": f"{service}/{method}", ":authority": "localhost"}
    fields |= {"content-type": "application/grpc", "te": "trailers"}
    if token:
        fields["authorization"] = f"Bearer {token}"
    return b"".join(field(*pair) for pair in (fields | dict(more)).items())


def headers(stream: int, block: bytes, flags: int = END_HEADERS) -> bytes:
    return frame(HEADERS, flags, stream, block)


def message(encoded: bytes) -> bytes:
    """A message of gRPC, which is not compressed."""
    return struct.pack("!BI", 0, len(encoded)) + encoded
