from capsend_traits.marks import Never

class Random(Never):
    """a copied generator would repeat the same numbers as this one; pass a seed, and create random.Random(seed) inside the process"""
