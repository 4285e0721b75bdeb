from capsend_traits.marks import Never

class TestCase(Never):
    """a test case holds the state of the test run; bind the data that you need first, n = self.n"""
