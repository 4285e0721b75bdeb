from capsend_traits.marks import Never

class Connection(Never):
    """a database connection belongs to this process; send the path and connect inside the process, or pass the rows as an argument"""

class Cursor(Never):
    """a cursor belongs to a connection of this process; capture tuple(cursor.fetchall())"""

class Row(Never):
    """a row belongs to a cursor of this process; capture tuple(row)"""

class Blob(Never):
    """a blob belongs to a connection of this process; capture blob.read()"""

class PrepareProtocol(Never):
    """it belongs to a connection of this process; keep it in the parent"""

class Statement(Never, hidden=True):
    """it belongs to a connection of this process; keep it in the parent"""

_Statement = Statement
