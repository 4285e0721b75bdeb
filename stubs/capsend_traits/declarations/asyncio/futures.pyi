import _asyncio

Future = _asyncio.Future
