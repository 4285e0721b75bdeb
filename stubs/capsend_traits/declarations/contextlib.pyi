from typing import Generic, TypeVar

from capsend_traits.marks import Never, ProcessSend

T = TypeVar("T")

class _GeneratorContextManager(Never):
    """a context manager made from a generator is a suspended frame of this process; send the decorated function, and call it inside the process"""

class _AsyncGeneratorContextManager(Never):
    """a context manager made from a generator is a suspended frame of this process; send the decorated function, and call it inside the process"""

class ExitStack(Never):
    """it holds calls that wait to run in this process; create it inside the process"""

class AsyncExitStack(Never):
    """it holds calls that wait to run in this process; create it inside the process"""

class ContextDecorator(ProcessSend):
    """it has no state"""

class AsyncContextDecorator(ProcessSend):
    """it has no state"""

class suppress(ProcessSend):
    """immutable: rebuilt from the exceptions that it suppresses"""

class nullcontext(ProcessSend, Generic[T]):
    """immutable, with whatever it holds"""

class closing(Never):
    """what it closes belongs to this process; create both inside the process"""

class aclosing(Never):
    """what it closes belongs to this process; create both inside the process"""

class redirect_stdout(Never):
    """it redirects the output of this process; create it inside the process"""

class redirect_stderr(Never):
    """it redirects the output of this process; create it inside the process"""
