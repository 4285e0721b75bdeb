"""A plug-in that does its work."""


def main():
    best = "tea" if "tea" in notes.read_text() else "coffee"
    return f"order {order(best, 2)}: {best} for {2 * price(best)}"
