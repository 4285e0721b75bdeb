"""Sessions: live processes that run pieces of source text one after the other."""
