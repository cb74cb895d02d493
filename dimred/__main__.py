"""`python -m dimred`."""

from dimred.cli import entry

if __name__ == "__main__":
    entry()
