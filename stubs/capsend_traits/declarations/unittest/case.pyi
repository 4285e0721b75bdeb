from capsend_traits.marks import Never

class TestCase(Never):
    """a test case holds the state of the test run; bind what you need of it first, n = self.n"""
