"""A plug-in that writes without end."""


def main():
    while True:
        print("buy, buy, buy")
