"""Make clean rows of corrupted ones."""

from sklearn_ae.tasks.reconstruction import ReconstructionTask
from sklearn_ae.tasks.task import check_rows


class DenoisingTask(ReconstructionTask):
    """Make clean rows of corrupted ones: of copies that it corrupts, or of given pairs.

    Where a batch has a target, its rows are corrupted already and the target is clean.
    """

    def forward(self, batch, generator):
        """Terms of the objective: see `ReconstructionTask.forward`."""
        if batch.target is not None:
            inputs, clean = batch.x, batch.target
        else:
            inputs, clean = self.corruption(batch.x, generator), batch.x
        loss = self.loss(self.network(inputs), clean)
        return {"reconstruction": check_rows(loss, len(clean), "The loss")}
