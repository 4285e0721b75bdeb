"""A plug-in with a bug: its exception is an answer like any other."""


def main():
    return price("chai")
