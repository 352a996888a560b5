"""Training steps captured in a CUDA graph, for networks bound by kernel launches.

Not yet measured on a card.
"""

import threading

import torch

WARM_UP_STEPS = 3

# torch allows one capture at a time in a process
_CAPTURE_LOCK = threading.Lock()


class CapturedSteps:
    """A whole step (selection, objective, backward, optimiser) as one graph launch.

    Batches of the usual size replay the graph. The first few steps, a last batch of another
    size, and every step of a task that cannot be captured run as usual.

    Parameters
    ----------
    net : TrainingNet
        The net, initialised, on a CUDA device.
    batch_size : int
        Rows of the batches that the graph serves.
    """

    def __init__(self, net, batch_size):
        self.net = net
        self.batch_size = batch_size
        self.graph = None
        self.capturable = True
        self.steps = 0
        self.device = net.noise.device
        self.indices = torch.zeros(batch_size, dtype=torch.int64, device=self.device)
        self.total = torch.zeros((), dtype=torch.float32, device=self.device)

    @staticmethod
    def applies(net):
        """Whether a net's steps are to be captured: on CUDA, with nothing of the user's."""
        return net.noise.device.type == "cuda" and net.settings.capturable

    @staticmethod
    def of(net, batches):
        """The captured steps of a net, made at its first epoch."""
        captured = getattr(net, "captured_steps", None)
        if captured is None:
            captured = net.captured_steps = CapturedSteps(net, batches.sizes[0])
        return captured

    def capture(self, rows):
        """Record one step on the static index buffer; give it up where torch refuses."""
        graph = torch.cuda.CUDAGraph()
        try:
            with _CAPTURE_LOCK:
                graph.register_generator_state(self.net.noise)
                with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                    self.net.plain_step(rows.select(self.indices, self.net.noise), self.total)
            self.graph = graph
        except RuntimeError:
            self.capturable = False

    def run(self, batches):
        """One epoch over the training rows; the sum of the objective over them, of shape ()."""
        self.total.zero_()
        # the device of a tensor: no change where that is the CPU
        with torch.cuda.device_of(self.total):
            for indices in batches.order().split(batches.sizes):
                self.net.set_learning_rate()
                self._step(batches.rows, indices)
                self.net.after_step()
        return self.total

    def _step(self, rows, indices):
        if len(indices) != self.batch_size or not self.capturable:
            self.net.plain_step(rows.select(indices, self.net.noise), self.total)
            return
        self.steps += 1
        if self.steps <= WARM_UP_STEPS:
            self._side_step(rows.select(indices, self.net.noise))
            return
        self.indices.copy_(indices)
        if self.graph is None:
            self.capture(rows)
        if self.graph is None:
            self.net.plain_step(rows.select(indices, self.net.noise), self.total)
        else:
            self.graph.replay()

    def _side_step(self, batch):
        """A step on a side stream, as torch asks for before a capture."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.net.plain_step(batch, self.total)
        torch.cuda.current_stream().wait_stream(side)
