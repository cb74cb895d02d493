"""A training step recorded once as a CUDA graph and replayed, so that the host starts one thing."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from dimred.pairing import Selection

_EAGER_STEPS = 3  # in which cuDNN chooses its kernels and the optimizer makes its state

Step = Callable[[Tensor, Selection, torch.Generator], Tensor]


class GraphedStep:
    """Calls a step; after the first calls, replays it."""

    def __init__(self, device: torch.device):
        self.generator = torch.Generator(device)
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.graph: torch.cuda.CUDAGraph | None = None
        self.calls = 0
        self.images: Tensor
        self.loss: Tensor

    def __call__(self, step: Step, images: Tensor, selection: Selection, seed: int) -> Tensor:
        """The loss, which the next call overwrites.

        step: images, selection and generator -> loss; the same in every call. Sizes and pairs of
            all its selections are equal; what it reads besides is changed in place only. Its random
            numbers are those of a fresh generator of the same seed.
        """
        self.generator.manual_seed(seed)
        self.calls += 1
        if self.calls <= _EAGER_STEPS:
            return self._eager(step, images, selection)
        if self.graph is None:
            self.graph = self._recorded(step, images, selection)
        self.images.copy_(images)
        self.graph.replay()
        return self.loss

    def _eager(self, step: Step, images: Tensor, selection: Selection) -> Tensor:
        # Not on the default stream, as PyTorch asks for what is recorded later.
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream), warnings.catch_warnings():
            # AdamW is made for recording, and warns when it is not recorded.
            warnings.filterwarnings("ignore", message=".*capturable=True")
            loss = step(images, selection, self.generator)
        torch.cuda.current_stream().wait_stream(self.stream)
        return loss

    def _recorded(self, step: Step, images: Tensor, selection: Selection) -> torch.cuda.CUDAGraph:
        self.images = images.clone()
        self.selection = selection  # kept, since the graph reads its tensors
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        with torch.cuda.graph(graph, stream=self.stream):
            self.loss = step(self.images, selection, self.generator)
        return graph
