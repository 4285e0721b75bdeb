from capsend_traits.marks import Never

class BaseTestSuite(Never):
    """it holds tests of this process; load them inside the process"""
