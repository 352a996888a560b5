"""Make clean rows of corrupted ones."""

from sklearn_ae.tasks.reconstruction import ReconstructionTask


class DenoisingTask(ReconstructionTask):
    """Make clean rows of spoilt ones: of corrupted copies, or of given pairs.

    Parameters
    ----------
    network : DenoisingNetwork
        The network.
    loss : callable
        ``loss(output, target)`` of shape (n,).
    paired : bool
        Whether a batch has the spoilt and the clean rows beside each other, in this order.
    **kwargs : dict
        Parameters of `ReconstructionTask`.
    """

    def __init__(self, network, loss, paired=False, **kwargs):
        super().__init__(network, loss, **kwargs)
        self.paired = paired

    def predict(self, x):
        """Clean rows of the spoilt ones in a batch."""
        return self.network(x.chunk(2, dim=1)[0] if self.paired else x)

    def forward(self, x, generator):
        """Terms of the objective: see `ReconstructionTask.forward`."""
        if self.paired:
            inputs, x = x.chunk(2, dim=1)
        else:
            inputs = self.corruption(x, generator)
        return {"reconstruction": self.loss(self.network(inputs), x)}
