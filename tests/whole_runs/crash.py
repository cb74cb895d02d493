"""A run that dies after a checkpoint, as tests let it."""

from dimred.run_folder.folder import RunFolder


class Crash(Exception):
    """Stands for a power cut right after a checkpoint."""


def crash_after(monkeypatch, count):
    """Let the run die after writing `count` checkpoints."""
    saved = []

    def save(folder, checkpoint):
        real(folder, checkpoint)
        saved.append(checkpoint.position)
        if len(saved) == count:
            raise Crash

    real = RunFolder.write_checkpoint
    monkeypatch.setattr(RunFolder, "write_checkpoint", save)
    return saved
