"""A plug-in that orders more than it may."""


def main():
    while True:
        order("coffee", 1)
