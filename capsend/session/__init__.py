"""Sessions: live processes that run one piece of source text after the other."""
