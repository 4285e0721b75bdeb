"""`python -m capsend`: the same as the command `capsend`."""

from capsend.commands.cli import main

if __name__ == "__main__":
    main(prog_name="python -m capsend")
