"""The one exception that means: what the user gave is wrong."""


class InputError(ValueError):
    """A value, file or folder given by the user cannot be used.

    The message is one line that names the key or file, the value, and what is allowed. The command
    prints it without a traceback and exits with code 2.
    """
