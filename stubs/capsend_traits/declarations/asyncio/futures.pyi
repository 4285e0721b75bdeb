import _asyncio

from capsend_traits.marks import Never

class _PyFuture(Never):
    """a future belongs to an event loop of this process; capture future.result(), or send the async function and await it inside"""

Future = _asyncio.Future
