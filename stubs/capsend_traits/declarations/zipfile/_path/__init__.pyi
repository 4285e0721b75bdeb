from capsend_traits.marks import Never

class Path(Never):
    """it is a place in an open archive of this process; capture path.read_bytes(), or send the path of the archive"""
