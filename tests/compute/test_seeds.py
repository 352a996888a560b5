"""Seeds of the streams of a fit, and of fits that go on."""

import itertools

import pytest

from sklearn_ae._compute.generators import seeds_of_fit


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 2])
def test_no_stream_is_met_twice(seed):
    """By whatever purpose, in fits of one epoch or more that go on one after the other."""
    # the seed itself is that of the rows held out, which stay those
    seen = {seed, *seeds_of_fit(seed, 0)}
    assert len(seen) == 4
    for n_epochs in itertools.accumulate([1, 1, 5, 1, 30]):
        streams = seeds_of_fit(seed, n_epochs)
        assert len(set(streams)) == 3 and not seen.intersection(streams)
        seen.update(streams)


def test_seeds_of_a_fit_are_the_same_again():
    assert seeds_of_fit(3, 4) == seeds_of_fit(3, 4)
