"""Reading a response body: decoded, counted while it arrives, and never more in memory than the cap.

Only gzip and deflate are asked for. zlib is told how much room is left, so a bomb stops at the cap instead of
after one chunk of a thousand times its size. More than one coding is refused.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

import httpx

from .errors import BadResponse, ResponseTooLarge

ACCEPT_ENCODING = "gzip, deflate"
_GZIP = zlib.MAX_WBITS | 16


async def read_body(
    chunks: AsyncIterable[bytes], headers: httpx.Headers, *, max_bytes: int, truncate: bool
) -> tuple[bytes, bool]:
    """(decoded body, whether it was cut). At most `max_bytes`, on the wire and decoded.

    Raises ResponseTooLarge (unless `truncate`) and BadResponse; the caller adds `sent` and the status, and
    closes what is left of the response.
    """
    decoder = _decoder(headers)
    announced = headers.get("content-length", "")
    if not truncate and announced.isascii() and announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        body += decoder.feed(chunk, max_bytes - len(body) + 1) if decoder else chunk
        if max(received, len(body)) > max_bytes:
            if truncate:
                return bytes(body[:max_bytes]), True
            raise _too_large(max_bytes)
    if decoder and received and not decoder.complete:
        raise BadResponse("The server's answer ended too early.", detail="compressed body is cut off")
    return bytes(body), False


class _Inflater:
    """Decompresses gzip (of one or more members) or deflate, with or without its zlib header."""

    def __init__(self, coding: str) -> None:
        self._gzip = coding != "deflate"
        self._started = False
        self._stream = zlib.decompressobj(_GZIP if self._gzip else zlib.MAX_WBITS)

    @property
    def complete(self) -> bool:
        """Whether the compressed stream has reached its end."""
        return self._stream.eof

    def feed(self, compressed: bytes, room: int) -> bytes:
        """At most `room` bytes (> 0) of output; the rest of `compressed` is dropped once that is reached."""
        plain = b""
        while compressed and len(plain) < room:
            if self._stream.eof:
                if not self._gzip or not compressed.strip(b"\0"):
                    break  # padding after the end
                self._stream = zlib.decompressobj(_GZIP)
            plain += self._decompress(compressed, room - len(plain))
            compressed = self._stream.unused_data if self._stream.eof else b""
        return plain

    def _decompress(self, compressed: bytes, room: int) -> bytes:
        started, self._started = self._started, True
        try:
            return self._stream.decompress(compressed, room)
        except zlib.error as error:
            if not started and not self._gzip:  # some servers send bare deflate
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
                return self._decompress(compressed, room)
            raise BadResponse("The server's answer cannot be unpacked.", detail=str(error)) from error


def _decoder(headers: httpx.Headers) -> _Inflater | None:
    codings = [coding.strip().lower() for coding in headers.get("content-encoding", "").split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in ("gzip", "x-gzip", "deflate"):
        raise BadResponse(
            "The server's answer is packed in a way that was not asked for.", detail=f"codings={codings[:20]}"
        )
    return _Inflater(codings[0])


def _too_large(max_bytes: int) -> ResponseTooLarge:
    return ResponseTooLarge(f"The server's answer is larger than {max_bytes:,} bytes.")
