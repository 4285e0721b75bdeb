"""A plug-in with a bug: its exception is an ordinary outcome."""


def main():
    return price("chai")
