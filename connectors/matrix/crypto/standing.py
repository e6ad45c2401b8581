"""How our device looks to others, by the homeserver's word alone: for ``doctor``.

The store of keys is not opened: another process may have it. Whether the published device has the
keys of ours only that process knows.
"""

from __future__ import annotations

from connectors.matrix.account import Account
from connectors.matrix.crypto.cross_signing import Published, Usage
from connectors.matrix.crypto.identity import DeviceSeen, Standing
from connectors.matrix.crypto.server import HomeserverIdentity
from connectors.matrix.http import MatrixHttp


async def standing_of(http: MatrixHttp, account: Account, *, user_id: str) -> Standing | None:
    """Sign in and look. Changes nothing. None: the server does not say which device we are.

    Raises:
        ConnectorRejectedError: the server refuses us.
        ConnectorUnavailableError: it does not answer.
    """
    await account.sign_in()
    own = account.device_id
    if own is None:
        return None
    server = HomeserverIdentity(http, user_id=user_id, password=None)
    published = Published.read(await server.query_keys(), user_id)
    return Standing(
        master=published.keys.get(Usage.MASTER),
        device=DeviceSeen(device_id=own, trust=published.trust(own)),
        others=tuple(
            DeviceSeen(device_id=each, trust=published.trust(each))
            for each in sorted(published.devices)
            if each != own
        ),
    )
