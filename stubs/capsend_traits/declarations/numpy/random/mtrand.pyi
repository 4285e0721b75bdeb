from capsend_traits.marks import Never

class RandomState(Never):
    """a copy would produce the same numbers again; capture a seed, and make numpy.random.default_rng(seed) in the process"""
