"""STAND-IN for a cloud endpoint under load: accepts TCP connections on port 443 and closes them when the client does."""

from __future__ import annotations

import asyncio

PORT = 443


async def main() -> None:
    """Serve until killed."""
    # asyncio's own protocol does just that: it keeps quiet and closes on the other side's end of file.
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "0.0.0.0", PORT, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
