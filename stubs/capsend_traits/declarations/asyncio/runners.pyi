from capsend_traits.marks import Never

class Runner(Never):
    """a runner holds an event loop of this process; send an async function: the process runs it on a loop of its own"""
