"""A run that dies after a checkpoint, as tests let it."""

import dimred.run.recorder


class Crash(Exception):
    """Stands for a power cut right after a checkpoint."""


def crash_after(monkeypatch, count):
    """Let the run die after writing `count` checkpoints."""
    saved = []

    def save(path, checkpoint):
        real(path, checkpoint)
        saved.append(checkpoint.position)
        if len(saved) == count:
            raise Crash

    real = dimred.run.recorder.save_checkpoint
    monkeypatch.setattr(dimred.run.recorder, "save_checkpoint", save)
    return saved
