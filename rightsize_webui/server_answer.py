"""One question to a model server over HTTP, asked so that no answer, however bad, can hold up or break a chat."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Open WebUI sends every model request with aiohttp: proxies and certificates hold here as they do there.
import aiohttp

# Bytes read of an answer. A router that lists hundreds of models, each with its arguments, stays far below.
MOST_BYTES = 4_000_000


@dataclass(frozen=True)
class ServerAnswer:
    """What a server answered: the HTTP status, and the JSON of its body, None where it is none."""

    status: int
    body: Any = None

    @property
    def settled(self) -> bool:
        """Whether asking again would bring the same: not so if the server failed, is busy or wants another key."""
        return self.status < 500 and self.status not in (401, 403, 408, 429)


async def get_json(
    address: str, headers: Mapping[str, str], cookies: Mapping[str, str], ssl: Any, seconds: float
) -> ServerAnswer | None:
    """GET an address. Returns None if the server does not answer within `seconds`, or sends too much.

    A redirection is not followed: the headers hold the connection's key, which is for this server alone.
    """
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True, cookies=cookies) as session,
            session.get(address, headers=headers, ssl=ssl, allow_redirects=False) as response,
        ):
            text = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                text += chunk
                if len(text) > MOST_BYTES:
                    return None
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    try:
        return ServerAnswer(status, json.loads(text))
    except (ValueError, RecursionError):
        return ServerAnswer(status)
