"""A server that says anything at all, byte for byte, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Answering:
    """Its address, what it says to everything, and the first lines of what it was asked."""

    url: str = ""
    says: bytes = b""
    asked: list[str] = field(default_factory=list)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Say this from now on."""
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.says = "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@asynccontextmanager
async def answering(
    context: ssl.SSLContext | None = None, *, greets: bytes = b""
) -> AsyncIterator[Answering]:
    """One for as long as the block lasts; ``greets`` is said before anything is asked."""
    found = Answering()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greets)
        head = await reader.readuntil(b"\r\n\r\n") if not greets else b"\r\n"
        found.asked.append(head.partition(b"\r\n")[0].decode())
        writer.write(found.says)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    found.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield found
