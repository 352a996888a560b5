"""Links: from outputs to data and back, and the range of the data."""

import math

import numpy as np
import pytest
import torch
from scipy import special
from torch.testing import assert_close

from sklearn_ae.objectives.links import (
    LINKS,
    IdentityLink,
    LogitLink,
    LogLink,
    SoftmaxLink,
    make_link,
)


def means_of(link, n_rows=40):
    """Means within the range of a link, those near its ends too."""
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(n_rows, 6, generator=generator, dtype=torch.float64)
    uniform[:2] = torch.tensor([[1e-12], [1 - 1e-6]])
    if isinstance(link, IdentityLink):
        return 100 * (uniform - 0.5)
    if isinstance(link, LogLink):
        return 100 * uniform
    if isinstance(link, SoftmaxLink):
        groups = link.groups(uniform)
        return torch.cat([group / group.sum(-1, keepdim=True) for group in groups], -1)
    return uniform


ALL = {
    **LINKS,
    "softmax of all": SoftmaxLink(),
    "softmax of equal groups": SoftmaxLink(2),
    "softmax of groups": SoftmaxLink([1, 3, 2]),
}
EVERY = pytest.mark.parametrize("link", ALL.values(), ids=list(ALL))


@EVERY
def test_inverse_of_the_link_of_a_mean_is_the_mean(link):
    mean = means_of(link)
    output = link.link(mean)
    assert output.shape == mean.shape
    assert_close(link.inverse(output), mean, rtol=1e-9, atol=1e-15)


@EVERY
def test_link_of_an_expected_value_is_the_output(link):
    generator = torch.Generator().manual_seed(0)
    output = 3 * torch.randn(5, 40, 6, generator=generator, dtype=torch.float64)
    found = link.link(link.inverse(output))
    if isinstance(link, SoftmaxLink):
        # up to a constant in each group
        for one, other in zip(link.groups(found), link.groups(output), strict=True):
            difference = one - other
            assert_close(difference, difference[..., :1].expand_as(difference))
    else:
        assert_close(found, output)


@EVERY
def test_expected_values_lie_in_the_range_of_the_link(link):
    """However far out the outputs are; that is what `check_range` asks of data."""
    outputs = torch.linspace(-80, 80, 600, dtype=torch.float64).reshape(100, 6)
    outputs = torch.cat([outputs, 1e3 * outputs, -outputs]) if link.high == 1 else outputs
    values = link.inverse(outputs)
    assert values.isfinite().all()
    assert (values >= link.low).all() and (values <= link.high).all()
    if isinstance(link, SoftmaxLink):
        for group in link.groups(values):
            assert_close(group.sum(-1), torch.ones(len(values)).double())


@pytest.mark.parametrize(
    "link, low, high, scales_rows",
    [
        (IdentityLink(), -math.inf, math.inf, True),
        (LogitLink(), 0.0, 1.0, False),
        (LogLink(), 0.0, math.inf, False),
        (SoftmaxLink([2, 4]), 0.0, 1.0, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_ranges_and_whether_rows_are_scaled(link, low, high, scales_rows):
    assert (link.low, link.high) == (low, high)
    assert link.scales_rows is scales_rows


def test_links_are_the_usual_functions():
    output = np.linspace(-9, 9, 12).reshape(2, 6)
    tensor = torch.from_numpy(output)
    assert_close(LogitLink().inverse(tensor).numpy(), special.expit(output))
    assert_close(LogLink().inverse(tensor).numpy(), np.exp(output))
    groups = [special.softmax(group, axis=1) for group in np.split(output, [2], axis=1)]
    assert_close(SoftmaxLink((2, 4)).inverse(tensor).numpy(), np.hstack(groups))
    mean = special.expit(output)
    assert_close(LogitLink().link(torch.from_numpy(mean)).numpy(), special.logit(mean))
    assert_close(LogLink().link(torch.from_numpy(mean)).numpy(), np.log(mean))
    assert IdentityLink().link(tensor) is tensor and IdentityLink().inverse(tensor) is tensor


@pytest.mark.parametrize(
    "group_sizes, widths",
    [(None, [6]), (6, [6]), (2, [2, 2, 2]), ([2, 4], [2, 4]), ((1, 2, 3), [1, 2, 3])],
    ids=str,
)
def test_groups_lie_side_by_side(group_sizes, widths):
    output = torch.arange(2 * 5 * 6.0).reshape(2, 5, 6)
    groups = SoftmaxLink(group_sizes).groups(output)
    assert [group.shape for group in groups] == [(2, 5, width) for width in widths]
    assert torch.equal(torch.cat(groups, dim=-1), output)


@pytest.mark.parametrize("name", LINKS)
def test_link_by_name(name):
    assert make_link(name) is LINKS[name]


def test_link_of_a_user_is_handed_back():
    link = SoftmaxLink([3, 3])
    assert make_link(link) is link


def test_unknown_link_raises_one_line():
    with pytest.raises(ValueError, match=r"Unknown link 'probit'; use one of .*'logit'") as caught:
        make_link("probit")
    assert "\n" not in str(caught.value)
