from capsend_traits.marks import Never

class Scanner(Never, hidden=True):
    """it cannot be taken out of its C code; create it inside the process"""

class Encoder(Never, hidden=True):
    """it cannot be taken out of its C code; create it inside the process"""

make_scanner = Scanner
make_encoder = Encoder
