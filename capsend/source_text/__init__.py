"""Python source text as a callable: reading, checking and shipping it."""
