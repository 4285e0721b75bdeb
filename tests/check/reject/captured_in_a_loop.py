"""Loop and comprehension variables, `with`, `except`, `:=` and patterns bind variables like any other."""

from capsend import spawn


def f(rows: list[list[int]], o: object) -> None:
    for row in rows:
        spawn(lambda: row)  # E: captured "row" is list[int]
    [spawn(lambda: other) for other in rows]  # E: captured "other" is list[int]
    if first := rows[0]:
        spawn(lambda: first)  # E: captured "first"
    with open("x") as file:
        spawn(lambda: file.read())  # E: captured "file" is TextIOWrapper
    try:
        pass
    except ValueError as error:
        spawn(lambda: str(error))  # E: captured "error" is ValueError
    match o:
        case [*rest]:
            spawn(lambda: rest)  # E: captured "rest" is list[object]
