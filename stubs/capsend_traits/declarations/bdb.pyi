from capsend_traits.marks import Never

class Bdb(Never):
    """a debugger follows the frames of this process; create it inside the process"""
