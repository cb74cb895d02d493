"""`python -m dimred`."""

from dimred.commands.main import entry

if __name__ == "__main__":
    entry()
