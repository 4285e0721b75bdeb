"""A plug-in that wants all the memory."""


def main():
    hoard = []
    while True:
        hoard.append(bytes(1 << 20))
