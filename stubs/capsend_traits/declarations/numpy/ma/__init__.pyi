from capsend_traits.marks import Never

class MaskedArray(Never):
    """a masked array is two arrays; send array.data and array.mask, and join them in the process"""
