"""A plug-in that exceeds its number of orders."""


def main():
    while True:
        order("coffee", 1)
