"""Reconstruct a batch."""

import torch

from sklearn_ae.tasks.task import Task, check_rows


class ReconstructionTask(Task):
    """Reconstruct a batch, perhaps from a corrupted copy, perhaps with a penalty on the code.

    Parameters
    ----------
    network : AutoencoderNetwork
        The network.
    loss : callable
        ``loss(output, target)`` of shape (n,).
    link : Link
        How an output is read.
    corruption : callable or None
        ``corruption(x, generator)``, of the shape of ``x``.
    penalty : callable or None
        ``penalty(x, code, encode, generator)`` of shape (n,).
    neighbors : torch.nn.Module or None
        ``neighbors(code, partner)`` of shape (n,), with the code of each row's partner.
    """

    def __init__(self, network, loss, link, corruption=None, penalty=None, neighbors=None):
        super().__init__()
        self.network = network
        # data that an output of the decoder stands for
        self.expected = link.inverse
        self.loss = loss
        self.corruption = corruption
        self.penalty = penalty
        self.neighbors = neighbors

    @property
    def is_stackable(self):
        """Whether several networks may be computed in one call: no term is a derivative."""
        return self.penalty is None and self.neighbors is None

    def row_error(self, output, x):
        """Loss of each row."""
        return self.loss(output, x)

    def forward(self, batch, generator):
        """Terms of the objective of a batch, of shape (n,), by name."""
        x = batch.x
        inputs = self._corrupted(x, generator)
        code, state = self.network.encode(inputs)
        loss = self.loss(self._decode(code, state), x)
        terms = {"reconstruction": check_rows(loss, len(x), "The loss")}
        if self.penalty is not None:
            # a penalty may differentiate the encoder, in validation too
            with torch.enable_grad():
                penalty = self.penalty(inputs, code.to(inputs.dtype), self._encode, generator)
            penalty = penalty if self.training else penalty.detach()
            terms["penalty"] = check_rows(penalty, len(x), "The penalty")
        if self.neighbors is not None and batch.partners is not None:
            partner = self._encode(self._corrupted(batch.partners, generator))
            terms["neighbors"] = self.neighbors(code.to(partner.dtype), partner)
        return terms

    def _corrupted(self, x, generator):
        return x if self.corruption is None else self.corruption(x, generator)

    def _decode(self, code, state):
        """Decode: in training, half of the rows with what the encoder gave beside the code.

        Scores have the code alone, so the decoder must do without; `reconstruct` may have both.
        Rows are in random order, and with both kinds in each step no step is of one kind.
        """
        if state is None or not self.training:
            return self.network.decode(code)
        half = len(code) // 2
        return self.network.decode(code, [entry[:half] for entry in state])

    def _encode(self, x):
        return self.network.encode(x)[0].to(x.dtype)
