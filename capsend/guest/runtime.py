"""Placeholder of the program's machinery: runs the program text and answers with its variable `answer`."""


def run(program, call):
    """Execute the program with `call` in its namespace."""
    scope = {"call": call}
    try:
        exec(program, scope)  # noqa: S102 - the guest is where programs are run
    except BaseException as error:  # noqa: BLE001 - nothing may leave the exported function
        return "e" + repr(error)
    return "v" + str(scope.get("answer"))
