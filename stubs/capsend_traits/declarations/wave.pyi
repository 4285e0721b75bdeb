from capsend_traits.marks import Never

class Wave_read(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""

class Wave_write(Never):
    """an open file belongs to this process; send its path and open it inside the process, or capture its content"""
