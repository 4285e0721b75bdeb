from capsend_traits.marks import Never

class JSONDecoder(Never):
    """it is tied to a scanner in C code; call json.loads(...) inside the process, or create it inside the process"""
