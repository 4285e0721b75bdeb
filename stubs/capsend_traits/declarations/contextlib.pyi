from capsend_traits.marks import Never

class _GeneratorContextManager(Never):
    """a context manager made from a generator is a suspended frame of this process; send the decorated function, and call it inside"""

class _AsyncGeneratorContextManager(Never):
    """a context manager made from a generator is a suspended frame of this process; send the decorated function, and call it inside"""

class ExitStack(Never):
    """it holds calls that wait to run in this process; create it inside the process"""

class AsyncExitStack(Never):
    """it holds calls that wait to run in this process; create it inside the process"""
