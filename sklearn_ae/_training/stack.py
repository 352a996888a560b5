"""Networks of the same layers that take their steps together."""

import copy

import torch
from torch import nn
from torch.func import vmap
from torch.nn.utils import parametrize

from sklearn_ae._training.batches import FIELDS, Batch
from sklearn_ae._training.clipping import StackedClipping
from sklearn_ae._training.net import add_terms

# What computes with statistics of a batch, or is slower for several networks at once.
ALONE = (nn.modules.batchnorm._BatchNorm, nn.modules.conv._ConvNd)
# Numbers in a network's weights up to which its steps are mostly calls of torch.
MOST_WEIGHTS = 2**17


def may_be_stacked(members, settings):
    """Whether networks are small ones of our own layers, with as many steps in an epoch.

    On the CPU alone: a graph of CUDA holds the steps of one network.
    """
    task = members[0].net.module_
    is_plain = not settings.foreign and not settings.callbacks and settings.precision == "float32"
    return (
        is_plain
        and len(members) > 1
        and settings.device.type == "cpu"
        and task.is_stackable
        and not any(isinstance(m, ALONE) or parametrize.is_parametrized(m) for m in task.modules())
        and sum(parameter.numel() for parameter in task.parameters()) <= MOST_WEIGHTS
        and len({len(member.batches) for member in members}) == 1
    )


class Stack:
    """Steps of several networks at once, by tensors with a dimension more.

    Each weight of a network is part of the tensor that holds it of all, so that members are judged
    as if each were trained alone. One optimiser moves all, as none of what it computes goes across
    weights; gradients are clipped for each network by itself. Of averages, buffers are those of the
    first network alone: no module that may be stacked computes with them in evaluation.

    Parameters
    ----------
    members : list of Member
        The networks, before their first step.
    """

    def __init__(self, members):
        self.members = members
        self.lead = members[0].net
        self.everything = members[0].train_rows.everything
        tasks = [member.net.module_ for member in members]
        self.weights = [
            weight.requires_grad_() for weight in _shared([task.parameters() for task in tasks])
        ]
        stacked = dict(zip(tasks[0].parameters(), self.weights, strict=True))
        for group in self.lead.optimizer_.param_groups:
            group["params"] = [stacked[parameter] for parameter in group["params"]]
        self.lead.clippings[:] = [StackedClipping(len(members))]
        if self.lead.averages:
            average = self.lead.averages[0]
            average.averages = _shared([member.net.averages[0].averages for member in members])
            average.weights = self.weights
        # it computes with the weights that are put into it, those of all networks at once
        self.task = copy.deepcopy(tasks[0]).train()
        self.weight_places = _places(self.task, "_parameters")
        self.buffer_places = _places(self.task, "_buffers")
        self.objectives = vmap(self._objective, randomness="different")

    def run_epoch(self):
        """One epoch of each; the mean objective of each over its rows, by weight."""
        lead = self.lead
        # an epoch may set some, such as the weight of a term
        buffers = zip(*(member.net.module_.buffers() for member in self.members), strict=True)
        buffers = [torch.stack(tensors) for tensors in buffers]
        totals = torch.zeros(len(self.members), dtype=torch.float32, device="cpu")
        for indices, shares, sizes in self._batches():
            lead.set_learning_rate()
            lead.optimizer_.forget_gradients()
            objectives = self.objectives(self.weights, buffers, self._fields(indices, shares))
            objectives.sum().backward()
            lead.clippings[0](lead.optimizer_)
            lead.optimizer_.step()
            lead.after_step()
            totals += objectives.detach() * sizes
        weights = [member.train_rows.total_weight for member in self.members]
        return [total / weight for total, weight in zip(totals.tolist(), weights, strict=True)]

    def _objective(self, weights, buffers, fields):
        """Mean objective of one network over its batch."""
        for places, tensors in ((self.weight_places, weights), (self.buffer_places, buffers)):
            for tensor, holders in zip(tensors, places, strict=True):
                for holder, name in holders:
                    holder[name] = tensor
        batch = Batch(**fields)
        losses = add_terms(self.task(batch, self.lead.noise))
        return (losses if batch.weight is None else losses * batch.weight).mean()

    def _batches(self):
        """Rows of each network's next step, what each counts, and how many there are.

        A shorter batch is filled up with its own rows once more, which do not count there; without
        such, shares are None.
        """
        orders = [member.batches.order().split(member.batches.sizes) for member in self.members]
        for parts in zip(*orders, strict=True):
            # of a type of our own: a division of whole numbers would give the caller's
            sizes = torch.tensor(list(map(len, parts)), dtype=torch.float32, device="cpu")
            if (sizes == sizes[0]).all():
                yield torch.stack(parts), None, sizes
                continue
            places = torch.arange(int(sizes.max()), device="cpu")
            indices = torch.stack([part[places % len(part)] for part in parts])
            shares = (places < sizes[:, None]) * (len(places) / sizes[:, None])
            yield indices, shares, sizes

    def _fields(self, indices, shares):
        """Fields of the batches, each of shape (n_networks, n, ...)."""
        fields = {name: getattr(self.everything, name) for name in FIELDS}
        fields = {name: field[indices] for name, field in fields.items() if field is not None}
        if shares is not None:
            fields["weight"] = shares * fields.get("weight", 1.0)
        return fields


def _shared(networks):
    """Tensors that hold those of several networks, which become parts of them."""
    stacked = []
    for tensors in zip(*networks, strict=True):
        whole = torch.stack([tensor.detach() for tensor in tensors])
        for tensor, part in zip(tensors, whole, strict=True):
            tensor.data = part
        stacked.append(whole)
    return stacked


def _places(task, kind):
    """For each weight or buffer of a task, the dicts of modules that hold it, and its names."""
    places = {}
    for module in task.modules():
        held = getattr(module, kind)
        for name, tensor in held.items():
            if tensor is not None:
                places.setdefault(id(tensor), []).append((held, name))
    return list(places.values())
