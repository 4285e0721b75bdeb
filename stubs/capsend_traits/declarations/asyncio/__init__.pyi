import _asyncio

Future = _asyncio.Future
Task = _asyncio.Task
