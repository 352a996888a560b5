"""An encoder and a decoder side by side with a linear path."""

import torch
from torch import nn

from sklearn_ae.networks.dense import FACTORY

# Standard deviations of a posterior stay within exp(-30) and exp(30): a step that is too long
# then ends in a large but finite loss, from which training recovers.
LOG_VARIANCE_LIMIT = 60.0
# Length of the linear encoder's rows for directions in which the data do not vary.
SMALL_ROW = 1e-2


class LinearPath(nn.Module):
    """Linear encoder and decoder that stand beside the network.

    Parameters
    ----------
    n_features : int
        Width of the data.
    n_components : int
        Width of the code.
    """

    # neither `weight_decay` nor `alpha` pulls at the start
    decays = False
    # share of the learning rate at which it is trained
    share_of_rate = 1.0

    def __init__(self, n_features, n_components):
        super().__init__()
        self.encoder = nn.Parameter(torch.zeros((n_components, n_features), **FACTORY))
        self.decoder = nn.Parameter(torch.zeros((n_features, n_components), **FACTORY))

    def draw(self, generator):
        """Draw small rows of the encoder: with two zeros in a row nothing could be learnt."""
        with torch.no_grad():
            scale = SMALL_ROW / self.encoder.shape[1] ** 0.5
            self.encoder.normal_(0.0, scale, generator=generator)

    def encode(self, x):
        """Code of ``x``: (n, n_features) to (n, n_components)."""
        return nn.functional.linear(x, self.encoder)

    def decode(self, code):
        """Data of ``code``: (n, n_components) to (n, n_features)."""
        return nn.functional.linear(code, self.decoder)


class ZeroStart(nn.Module):
    """Any module times a gain per output that starts at zero.

    A stack of our own starts at zero by its last layer; of a user's module the last layer is
    not known, so its whole output is multiplied.

    Parameters
    ----------
    module : torch.nn.Module
        Module with outputs of shape (n, width).
    width : int
        Number of outputs.
    """

    def __init__(self, module, width):
        super().__init__()
        self.module = module
        self.gain = nn.Parameter(torch.zeros(width, **FACTORY))

    def forward(self, x):
        return self.gain * self.module(x)


class AutoencoderNetwork(nn.Module):
    """``encode(x) = c(W_e x + f(x))`` and ``decode(z) = l(W_d z + g(z))``.

    Parameters
    ----------
    encoder, decoder : torch.nn.Module
        The functions f and g.
    linear : LinearPath or None
        The linear path W_e, W_d; None leaves it out.
    code_activation : torch.nn.Module or None
        The function c on the code, kept at inference; None is the identity.
    centre : tensor of shape (n_features,) or None
        Subtracted from the input of the encoder only; None where the data are centred already.
    scale : float
        The centred input of the encoder is divided by this number.
    offset : tensor of shape (n_features,) or None
        Where a trained vector that is added to the output starts; None leaves it out.
    limits : OutputLimits or None
        Holds the output near the range of the data; None leaves it as it is.
    """

    # whether the linear path computes in full precision beside branches that do not
    keeps_linear_exact = True

    def __init__(
        self,
        encoder,
        decoder,
        linear=None,
        code_activation=None,
        centre=None,
        scale=1.0,
        offset=None,
        limits=None,
    ):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.linear = linear
        self.code_activation = code_activation
        self.scale = scale
        self.register_buffer("centre", centre, persistent=False)
        self.offset = None if offset is None else nn.Parameter(offset)
        self.limits = limits
        self.autocast_dtype = None

    def _branch(self, function, x, *state):
        """Run a network branch, in reduced precision where asked for; so is its result."""
        if self.autocast_dtype is None:
            return function(x, *state)
        # no cached casts: a caller's region may outlive the weights that they were made of
        with torch.autocast(x.device.type, dtype=self.autocast_dtype, cache_enabled=False):
            return function(x, *state)

    def _linear(self, function, x):
        """Run one half of the linear path."""
        return function(x) if self.keeps_linear_exact else self._branch(function, x)

    def _full(self, x):
        """Values in full precision; a sum with the linear path has it already."""
        return x if self.autocast_dtype is None else x.float()

    def _encoder_input(self, x):
        return x if self.centre is None else (x - self.centre) / self.scale

    def encode(self, x):
        """Code of ``x`` and the state that a decoder may use.

        The result has shape (n, n_components).
        """
        x = self._encoder_input(x)
        code, state = self._branch(self.encoder, x), None
        if isinstance(code, tuple):
            code, state = code
        if self.linear is not None:
            code = code + self._linear(self.linear.encode, x)
        if self.code_activation is not None:
            code = self.code_activation(self._full(code))
        return code, state

    def decode(self, code, state=None):
        """Data of ``code``: (n, n_components) to (n, n_features).

        The result has shape (n, n_features).
        """
        return self._limited(self._output(code, state))

    def _output(self, code, state):
        output = self._branch(self.decoder, code, *(() if state is None else (state,)))
        if self.linear is not None:
            output = output + self._linear(self.linear.decode, code)
        if self.offset is not None:
            output = output + self.offset
        return self._full(output)

    def _limited(self, output):
        return output if self.limits is None else self.limits(output)

    def split(self, x, limited=True):
        """Code of ``x``, and its reconstruction from the code alone, held near the data or not."""
        code, _ = self.encode(x)
        output = self._output(code, None)
        return code, self._limited(output) if limited else output

    def forward(self, x):
        """Reconstruction of ``x`` from its code alone."""
        return self.decode(self.encode(x)[0])


class DenoisingNetwork(AutoencoderNetwork):
    """Autoencoder network from a corrupted row to a clean one, with all that the encoder saw.

    Parameters
    ----------
    encoder, decoder : torch.nn.Module
        The functions f and g.
    residual : bool
        Whether the input is added to the output, so that the network has to give minus the
        noise.
    **kwargs : dict
        Parameters of `AutoencoderNetwork`.
    """

    # what is left of the noise is far more than the rounding
    keeps_linear_exact = False

    def __init__(self, encoder, decoder, residual, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self.residual = residual

    def forward(self, x):
        """Clean rows of corrupted ones: (n, n_features) to the same shape."""
        output = self._output(*self.encode(x))
        return self._limited(output + x if self.residual else output)


class VariationalNetwork(AutoencoderNetwork):
    """Autoencoder network whose encoder gives a normal distribution of the code.

    The encoder has ``2 * n_components`` outputs, the mean and the logarithm of the variance;
    the linear path adds to the mean, and ``base_log_variance`` to the logarithm.

    Parameters
    ----------
    encoder, decoder : torch.nn.Module
        The functions f and g.
    base_log_variance : tensor of shape (n_components,)
        Where the logarithm of the variance starts.
    **kwargs : dict
        Parameters of `AutoencoderNetwork`.
    """

    def __init__(self, encoder, decoder, base_log_variance, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self.base_log_variance = nn.Parameter(base_log_variance)

    def encode_distribution(self, x):
        """Mean and logarithm of the variance of q(z | x), of shape (n, n_components)."""
        x = self._encoder_input(x)
        mean, log_variance = self._full(self._branch(self.encoder, x)).chunk(2, dim=1)
        if self.linear is not None:
            mean = mean + self.linear.encode(x)
        log_variance = log_variance + self.base_log_variance
        return mean, log_variance.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)

    def encode(self, x):
        """Mean of q(z | x) as the code, and no state."""
        return self.encode_distribution(x)[0], None
