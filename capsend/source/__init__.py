"""Python code as text: where it is in files, which names it uses, and how a piece of it is compiled again."""
