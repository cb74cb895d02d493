"""Progress of a stage on the terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm


class StageProgress:
    """One progress bar a stage on a terminal, one plain line an epoch elsewhere.

    done: steps done before. headline: name and label of the number shown beside the loss.
    """

    def __init__(
        self,
        stage: str,
        epochs: int,
        done: int,
        steps: int,
        batch_size: int,
        headline: tuple[str, str],
    ):
        self.stage = stage
        self.epochs = epochs
        self.batch_size = batch_size
        self.headline, self.label = headline
        self._began = time.monotonic()
        self._images = 0
        self._left = (epochs * steps - done) * batch_size
        self._measured = ""
        self._bar = tqdm(
            total=epochs * steps * batch_size,
            initial=done * batch_size,
            desc=stage,
            unit=" images",
            unit_scale=True,
            dynamic_ncols=True,
            mininterval=0.2,
            disable=not (sys.stdout.isatty() and sys.stderr.isatty()),
            # Fits into 80 columns.
            bar_format="{desc} |{bar:5}|{postfix}, {rate_fmt}, {remaining} left",
        )
        self._bar.set_description_str(f"{stage} {min(done // steps + 1, epochs)}/{epochs}")

    def compiling(self) -> None:
        """Show that the network is being compiled, which takes seconds to a minute."""
        self._began = time.monotonic()
        if self._bar.disable:
            print(f"{self.stage}: compiling", flush=True)
        else:
            self._bar.set_postfix_str("compiling")

    def compiled(self, obstacle: str | None) -> None:
        """Show that compiling is done, or the obstacle that it failed on."""
        text = f"compiled in {time.monotonic() - self._began:.0f} s"
        if obstacle:
            text = f"goes on without compiling: {obstacle[:200]}"
        self._bar.set_postfix_str("", refresh=False)
        self._bar.write(f"{self.stage}: {text}", file=sys.stdout)
        sys.stdout.flush()
        self._began = time.monotonic()
        self._bar.unpause()

    def step(self) -> None:
        """Count a finished batch."""
        self._images += self.batch_size
        self._bar.update(self.batch_size)

    def epoch(self, row: dict[str, Any]) -> None:
        """Show a finished epoch. row: as in metrics.jsonl."""
        text = f"loss {row['loss']:.4f}"
        if self.headline in row:
            self._measured = f", {self.label} {row[self.headline]:.3f}"
        if not self._bar.disable:
            # The last measurement stays on the bar until the next one.
            self._bar.set_postfix_str(text + self._measured, refresh=False)
            current = min(row["epoch"] + 1, self.epochs)
            self._bar.set_description_str(f"{self.stage} {current}/{self.epochs}")
            return
        if self.headline in row:
            text += self._measured
        rate = self._images / max(time.monotonic() - self._began, 1e-9) or row["images_per_s"]
        # A rate that is rounded to 0, after a pause of hours, says nothing.
        left = tqdm.format_interval((self._left - self._images) / rate) if rate else "unknown time"
        print(
            f"{self.stage} epoch {row['epoch']}/{self.epochs}: {text}, "
            f"{row['images_per_s']:,.0f} images/s, {left} left in the stage",
            flush=True,
        )

    def close(self) -> None:
        """End the bar and leave it on the terminal."""
        self._bar.close()
