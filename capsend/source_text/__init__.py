"""Python source text as a callable: read, checked and shipped."""
