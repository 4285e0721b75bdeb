"""Python code as text: where it stands, the names that it uses, and how a piece of it is compiled again."""
