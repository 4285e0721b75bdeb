import sys

from capsend_traits.marks import Never

class _UnixSelectorEventLoop(Never):
    """an event loop belongs to a thread of this process; send an async function: the process runs it on a loop of its own"""

class _UnixDefaultEventLoopPolicy(Never):
    """an event loop policy belongs to this process; send an async function: the process runs it on a loop of its own"""

if sys.version_info < (3, 14):
    class AbstractChildWatcher(Never):
        """it watches processes that this one started; start them in the parent, and pass their output"""
