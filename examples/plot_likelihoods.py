r"""
========================================
Which noise: likelihoods, and one's own
========================================

A variational autoencoder has a distribution of the data given the code. Densities of the same rows
in the same units compare, so that rows held out can say which distribution suits the data. Here it
is a table with some values that are far off; the last likelihood is one that the package does not
have.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn

from sklearn_ae import VariationalAutoencoder
from sklearn_ae.likelihoods import Gaussian, Laplace, Likelihood

SMALL = "SKLEARN_AE_EXAMPLES_SMALL" in os.environ

max_iter = 3 if SMALL else 100

# %%
# Rows near a curved sheet in ten dimensions, with noise of heavy tails.

rng = np.random.default_rng(0)
position = rng.uniform(-2, 2, size=(1500, 2))
sheet = np.column_stack([position, np.sin(2 * position), position**2])
X = sheet @ rng.normal(size=(6, 10)) + 0.3 * rng.standard_t(2, size=(1500, 10))
X_train, X_test = train_test_split(X, test_size=0.5, random_state=0)

# %%
# A likelihood of one's own
# -------------------------
#
# It takes a torch module with `log_density`, `mean` and `sample`, and a part that makes it.
# `variance` is where the variance of each feature starts, that of probabilistic PCA: training
# begins there for this likelihood as for the others.

DEGREES = 3.0


class StudentNoise(nn.Module):
    """Student's t about the output, with one scale that is learnt."""

    def __init__(self, variance):
        super().__init__()
        scale = (variance.mean() * (DEGREES - 2) / DEGREES).sqrt()
        self.log_scale = nn.Parameter(scale.log())

    def log_density(self, output, x):
        noise = torch.distributions.StudentT(DEGREES, output, self.log_scale.exp())
        return noise.log_prob(x).sum(-1)

    def mean(self, output):
        return output

    def sample(self, output, generator):
        draws = torch.empty((4, *output.shape), dtype=output.dtype, device=output.device)
        normal, *others = draws.normal_(generator=generator)
        chi_square = sum(other.square() for other in others)
        return output + self.log_scale.exp() * normal / (chi_square / DEGREES).sqrt()


class StudentT(Likelihood):
    """Student's t distribution about the output, with three degrees of freedom."""

    def module(self, variance):
        return StudentNoise(variance)


# %%
# Held-out rows choose
# --------------------
#
# The score is a lower bound on the mean log-likelihood of the rows held out, in nats.

likelihoods = {"Gaussian": Gaussian(), "Laplace": Laplace(), "Student's t": StudentT()}
models = {
    name: VariationalAutoencoder(2, likelihood=likelihood, max_iter=max_iter, random_state=0)
    for name, likelihood in likelihoods.items()
}
scores = {name: model.fit(X_train).score(X_test) for name, model in models.items()}
for name, score in scores.items():
    print(f"{name:12} {score:7.2f} nats")

# %%
# Draws show the difference: how far values lie from the mean of their column, in the data and in
# samples of two models.

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
bins = np.linspace(-12, 12, 80)
ax.hist((X - X.mean(axis=0)).ravel(), bins, density=True, color="0.85", label="data")
for name in ("Gaussian", "Student's t"):
    draws = models[name].sample(3000, random_state=0)
    deviations = (draws - draws.mean(axis=0)).ravel()
    ax.hist(deviations, bins, density=True, histtype="step", linewidth=1.5, label=name)
ax.set(xlabel="deviation from the column's mean", ylabel="density", yscale="log")
ax.legend()
plt.show()

# %%
# A fixed variance is a weight of the reconstruction
# --------------------------------------------------
#
# Minus the bound with a Gaussian of fixed variance :math:`s^2` is
# :math:`\lambda \lVert x - \hat x \rVert^2 + \mathrm{KL}` with :math:`\lambda = 1 / (2 s^2)`, up
# to a constant. A small variance asks for good reconstructions, a large one for codes like the
# prior's.

variances = [0.1, 1.0, 10.0]
for variance in variances:
    model = VariationalAutoencoder(
        2, likelihood=Gaussian(noise_variance=variance), max_iter=max_iter, random_state=0
    ).fit(X_train)
    error = model.reconstruction_error(X_test).mean()
    kl = model.elbo(X_test).kl.mean()
    print(f"variance {variance:4}: squared error {error:6.2f}, divergence {kl:5.2f} nats")
