"""A call on its way: captures are judged and encoded, results and exceptions are rebuilt."""
