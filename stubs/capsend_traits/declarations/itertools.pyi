import sys

from capsend_traits.marks import Never

class accumulate(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.accumulate(...) inside the process"""

class chain(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.chain(...) inside the process"""

class combinations(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.combinations(...) inside the process"""

class combinations_with_replacement(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.combinations_with_replacement(...) inside the process"""

class compress(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.compress(...) inside the process"""

class count(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.count(...) inside the process"""

class cycle(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.cycle(...) inside the process"""

class dropwhile(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.dropwhile(...) inside the process"""

class filterfalse(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.filterfalse(...) inside the process"""

class groupby(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.groupby(...) inside the process"""

class islice(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.islice(...) inside the process"""

class pairwise(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.pairwise(...) inside the process"""

class permutations(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.permutations(...) inside the process"""

class product(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.product(...) inside the process"""

class repeat(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.repeat(...) inside the process"""

class starmap(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.starmap(...) inside the process"""

class takewhile(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.takewhile(...) inside the process"""

class zip_longest(Never):
    """an iterator is a position that moves, and a copy would move on its own; call itertools.zip_longest(...) inside the process"""

class _grouper(Never):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of the group"""

class _tee(Never):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of the remaining items"""

class _tee_dataobject(Never):
    """an iterator is a position that moves, and a copy would move on its own; capture tuple(...) of the remaining items"""

if sys.version_info >= (3, 12):
    class batched(Never):
        """an iterator is a position that moves, and a copy would move on its own; call itertools.batched(...) inside the process"""
