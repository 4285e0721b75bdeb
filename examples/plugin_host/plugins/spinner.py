"""A plug-in that never ends."""


def main():
    while True:
        pass
