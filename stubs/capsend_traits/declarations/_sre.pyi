from capsend_traits.marks import Never

class SRE_Scanner(Never, hidden=True):
    """a scanner is a position in a search; capture the pattern and the text, and search inside the process"""
