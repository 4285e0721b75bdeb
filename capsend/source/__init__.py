"""Python code as text: its place in files, the names that it uses, and compiling a piece of it again."""
