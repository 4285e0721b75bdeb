import _asyncio

Task = _asyncio.Task
