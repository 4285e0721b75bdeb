"""Programs of several classes and functions, each with a `run` that gives the same answer wherever it runs."""
