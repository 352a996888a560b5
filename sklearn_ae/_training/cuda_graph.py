"""Training steps captured in a CUDA graph, for networks bound by kernel launches.

Not yet measured on a card.
"""

import torch

WARM_UP_STEPS = 3


class CapturedSteps:
    """A whole step (selection, objective, backward, optimiser) as one graph launch.

    Batches of the usual size replay the graph; a last batch of another size, and the first few
    steps, run as usual.

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
        self.warm_up = 0
        device = net.noise.device
        self.indices = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self.total = torch.zeros((), device=device)

    @staticmethod
    def applies(net):
        """Whether a net's steps can be captured: on CUDA, with nothing that Python must see."""
        return net.noise.device.type == "cuda" and net.settings.capturable

    @staticmethod
    def of(net, batches):
        """The captured steps of a net, made at its first epoch."""
        captured = getattr(net, "captured_steps", None)
        if captured is None:
            captured = net.captured_steps = CapturedSteps(net, batches.sizes[0])
        return captured

    def step(self, batch):
        """One step as usual; adds to ``total``."""
        optimizer = self.net.optimizer_
        optimizer.zero_grad(set_to_none=True)
        loss = self.net.objective(batch)
        loss.backward()
        optimizer.step()
        self.total.add_(loss.detach(), alpha=len(batch[0]))

    def capture(self, part):
        """Record one step on the static index buffer."""
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.net.noise)
        with torch.cuda.graph(self.graph):
            self.step(part.select(self.indices))

    def run(self, batches):
        """Pass once over the training rows.

        Parameters
        ----------
        batches : IndexBatches
            The rows.

        Returns
        -------
        tensor of shape ()
            Sum of the objective over the rows.
        """
        self.total.zero_()
        for indices in batches.order().split(batches.sizes):
            self.net._set_learning_rate()
            if len(indices) != self.batch_size:
                self.step(batches.part.select(indices))
            elif self.warm_up < WARM_UP_STEPS:
                self.warm_up += 1
                side = torch.cuda.Stream()
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    self.step(batches.part.select(indices))
                torch.cuda.current_stream().wait_stream(side)
            else:
                self.indices.copy_(indices)
                if self.graph is None:
                    self.capture(batches.part)
                self.graph.replay()
        return self.total
