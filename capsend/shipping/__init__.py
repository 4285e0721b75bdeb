"""A call on its way: captures are judged and written down, results and exceptions are rebuilt."""
