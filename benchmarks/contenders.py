"""Autoencoders that are timed side by side, each behind ``epochs(n)``.

Every contender gets the same scaled float32 matrix, layers (with GELU, or relu where GELU is not
offered), batch size and Adam at 1e-3, and answers ``epochs(n)`` with the wall-clock seconds of
`n` successive epochs. This file is also imported in the environment of the peers, so it imports
a package only where it is used.
"""

import itertools
import time

import numpy as np

# Height and width of the images that convolutional contenders take.
SIDE = 28


class Stamps(list):
    """Moments at which epochs ended."""

    def start(self):
        """Forget earlier moments and take the first one."""
        self[:] = [time.perf_counter()]

    def mark(self):
        """Take a moment."""
        self.append(time.perf_counter())

    def durations(self):
        """Seconds between successive moments."""
        return np.diff(self).tolist()


class Contender:
    """One autoencoder to be timed.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Scaled data, float32.
    sizes : list of int
        Widths of the encoder's layers, the code last; the decoder mirrors them.
    batch_size : int
        Rows per step.
    precision : {"float32", "bfloat16"}
        Precision of the products.
    device : str
        Device, as torch names it.
    """

    def __init__(self, X, sizes, batch_size, precision="float32", device="cpu"):
        self.X, self.sizes, self.batch_size = X, list(sizes), batch_size
        self.precision, self.device = precision, device
        self.stamps = Stamps()
        self.prepare()

    def prepare(self):
        """Build what is kept over calls of `epochs`."""

    def widths(self):
        """Widths of all layers, from the input to the output."""
        n_features = self.X.shape[1]
        return [n_features, *self.sizes, *self.sizes[-2::-1], n_features]

    def torch_layers(self):
        """Stack of linear layers and GELUs; none on the code and on the output."""
        from torch import nn

        widths, layers = self.widths(), []
        plain = (len(self.sizes) - 1, len(widths) - 2)
        for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            layers.append(nn.Linear(inputs, outputs))
            if index not in plain:
                layers.append(nn.GELU())
        return nn.Sequential(*layers)

    def skorch_callback(self):
        """Epoch callback that takes the moments."""
        from skorch.callbacks import Callback

        stamps = self.stamps

        class EpochStamps(Callback):
            def __deepcopy__(self, memo):
                return self  # the estimator copies callbacks; the moments belong to one list

            def on_train_begin(self, net, **kwargs):
                stamps.start()

            def on_epoch_end(self, net, **kwargs):
                stamps.mark()

        return EpochStamps()


class HandWritten(Contender):
    """The loop one would write for speed: data on the device, index batches, fused Adam."""

    def prepare(self):
        import torch

        self.x = torch.from_numpy(self.X).to(self.device)
        self.network = self.torch_layers().to(self.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=True)
        self.n_parameters = sum(p.numel() for p in self.network.parameters())

    def epochs(self, n):
        import torch
        from torch.nn.functional import mse_loss

        self.stamps.start()
        for _ in range(n):
            order = torch.randperm(len(self.x), device=self.x.device)
            total = torch.zeros((), device=self.x.device)
            for rows in order.split(self.batch_size):
                batch = self.x.index_select(0, rows)
                with torch.autocast(
                    self.x.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"
                ):
                    output = self.network(batch)
                # faster than the square of a difference, and than reduction="sum" on two cores
                loss = mse_loss(output.float(), batch, reduction="none").sum(dim=1).mean()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.detach() * len(batch)
            self.loss = total.item() / len(self.x)
            self.stamps.mark()
        return self.stamps.durations()


class Ours(Contender):
    """`Autoencoder` with the same layers.

    An epoch callback takes the moments inside one fit. The alternative, the difference of two
    fits with few and many epochs, subtracts two times that both hold the PCA and the set-up,
    so its noise is that of the longer fit; and it gives no single epochs.
    """

    init = "random"

    def layers(self):
        """Parameters that set the layers."""
        return {"hidden_layer_sizes": tuple(self.sizes[:-1])}

    def epochs(self, n):
        from sklearn_ae import Autoencoder

        self.estimator = Autoencoder(
            self.sizes[-1],
            **self.layers(),
            init=self.init,
            early_stopping=False,
            max_iter=n,
            batch_size=self.batch_size,
            precision=self.precision,
            device=self.device,
            skorch_callbacks=[self.skorch_callback()],
            random_state=0,
        ).fit(self.X)
        self.n_parameters = sum(p.numel() for p in self.estimator.network_.parameters())
        return self.stamps.durations()


class OursFromPCA(Ours):
    """`Autoencoder` with its linear path, which is part of every step."""

    init = "pca"


class PlainSkorch(Contender):
    """skorch's `NeuralNet` as its documentation shows it: a DataLoader, row by row."""

    def epochs(self, n):
        import torch
        from skorch import NeuralNet

        net = NeuralNet(
            self.torch_layers,
            criterion=torch.nn.MSELoss,
            optimizer=torch.optim.Adam,
            lr=1e-3,
            max_epochs=n,
            batch_size=self.batch_size,
            iterator_train__shuffle=True,
            train_split=None,
            callbacks=[("stamps", self.skorch_callback())],
            callbacks__print_log=None,
            device=self.device,
        )
        net.fit(self.X, self.X)
        return self.stamps.durations()


class SklearnMLP(Contender):
    """`MLPRegressor` fitted to its input; `partial_fit` is one epoch."""

    def prepare(self):
        from sklearn.neural_network import MLPRegressor

        self.net = MLPRegressor(
            hidden_layer_sizes=tuple(self.widths()[1:-1]),
            batch_size=self.batch_size,
            random_state=0,
        )

    def epochs(self, n):
        self.stamps.start()
        for _ in range(n):
            self.net.partial_fit(self.X, self.X)
            self.stamps.mark()
        return self.stamps.durations()


class PyOD(Contender):
    """PyOD's `AutoEncoder` without batch norm, dropout and its own scaling (all cost time)."""

    def epochs(self, n):
        from pyod.models.auto_encoder import AutoEncoder

        stamps = self.stamps

        class Timed(AutoEncoder):
            def training_prepare(self):
                super().training_prepare()
                stamps.start()

            def epoch_update(self):
                stamps.mark()

        Timed(
            hidden_neuron_list=self.sizes,
            hidden_activation_name="relu",  # it has no GELU
            batch_norm=False,
            dropout_rate=0.0,
            preprocessing=False,
            epoch_num=n,
            batch_size=self.batch_size,
            device=self.device,
            verbose=0,
        ).fit(self.X)
        return self.stamps.durations()


class Keras(Contender):
    """Keras (TensorFlow) with the same layers, `fit` on arrays."""

    def prepare(self):
        self.model = keras_model(
            self.X.shape[1], self.sizes, loss="mean_squared_error", precision=self.precision
        )
        self.callback = keras_stamps(self.stamps)

    def epochs(self, n):
        self.model.fit(
            self.X,
            self.X,
            batch_size=self.batch_size,
            epochs=n,
            shuffle=True,
            verbose=0,
            callbacks=[self.callback],
        )
        return self.stamps.durations()


class ConvolutionalLayers(Contender):
    """A contender with convolutions on images of 28 x 28 pixels.

    ``sizes`` are the channels of the encoder's levels, the width of the code last. A level is
    a convolution of 3 x 3 with stride 2 and GELU, the decoder has transposed ones.
    """

    def torch_layers(self):
        """Stack of the layers; no GELU on the code and on the output."""
        from torch import nn

        *channels, n_components = self.sizes
        side = SIDE // 2 ** len(channels)
        width = channels[-1] * side**2
        layers = [nn.Unflatten(1, (1, SIDE, SIDE))]
        for inputs, outputs in itertools.pairwise([1, *channels]):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.GELU()]
        layers += [nn.Flatten(), nn.Linear(width, n_components)]
        layers += [nn.Linear(n_components, width), nn.GELU()]
        layers.append(nn.Unflatten(1, (channels[-1], side, side)))
        for inputs, outputs in itertools.pairwise([*channels[::-1], 1]):
            layers.append(nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1))
            layers.append(nn.GELU())
        return nn.Sequential(*layers[:-1], nn.Flatten())


class HandWrittenConvolutional(ConvolutionalLayers, HandWritten):
    """The same loop around convolutions."""


class HandWrittenChannelsLast(HandWrittenConvolutional):
    """The same loop with the channels of a pixel beside each other in memory."""

    def torch_layers(self):
        """Stack of the layers, whose outputs follow the weights' order in memory."""
        import torch

        return super().torch_layers().to(memory_format=torch.channels_last)


class OursConvolutional(Ours):
    """`Autoencoder` with the part for convolutions."""

    def layers(self):
        """Parameters that set the layers."""
        from sklearn_ae.architectures import Convolutional

        return {"architecture": Convolutional((SIDE, SIDE), channels=tuple(self.sizes[:-1]))}


class OursConvolutionalFromPCA(OursConvolutional):
    """The same with the linear path, which is part of every step."""

    init = "pca"


class KerasConvolutional(Keras):
    """Keras (TensorFlow) with the same layers; its padding is on the far side only."""

    def prepare(self):
        self.model = keras_convolutional(self.sizes, self.precision)
        self.callback = keras_stamps(self.stamps)


def keras_convolutional(sizes, precision):
    """Compiled Keras autoencoder with the layers of `ConvolutionalLayers`."""
    import keras

    *channels, n_components = sizes
    side = SIDE // 2 ** len(channels)
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    level = {"strides": 2, "padding": "same", "dtype": policy}
    layers = [keras.layers.Reshape((SIDE, SIDE, 1))]
    layers += [keras.layers.Conv2D(c, 3, activation="gelu", **level) for c in channels]
    layers += [keras.layers.Flatten(), keras.layers.Dense(n_components, dtype=policy)]
    layers.append(keras.layers.Dense(channels[-1] * side**2, activation="gelu", dtype=policy))
    layers.append(keras.layers.Reshape((side, side, channels[-1])))
    layers += [
        keras.layers.Conv2DTranspose(c, 3, activation="gelu", **level) for c in channels[-2::-1]
    ]
    layers += [keras.layers.Conv2DTranspose(1, 3, **level), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((SIDE**2,)), *layers])
    model.compile(optimizer="adam", loss="mean_squared_error")
    return model


def keras_model(
    n_features, sizes, *, loss, hidden="gelu", code=None, output=None, precision="float32"
):
    """Compiled Keras autoencoder, Adam with its defaults."""
    import keras

    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    layers = [keras.layers.Dense(size, activation=hidden, dtype=policy) for size in sizes[:-1]]
    layers.append(keras.layers.Dense(sizes[-1], activation=code, dtype=policy))
    layers += [keras.layers.Dense(size, activation=hidden, dtype=policy) for size in sizes[-2::-1]]
    layers.append(keras.layers.Dense(n_features, activation=output, dtype=policy))
    model = keras.Sequential([keras.Input((n_features,)), *layers])
    model.compile(optimizer="adam", loss=loss)
    return model


def keras_stamps(stamps):
    """Keras callback that takes the moments."""
    import keras

    class EpochStamps(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            stamps.start()

        def on_epoch_end(self, epoch, logs=None):
            stamps.mark()

    return EpochStamps()


CONTENDERS = {
    contender.__name__: contender
    for contender in (
        HandWritten,
        Ours,
        OursFromPCA,
        PlainSkorch,
        SklearnMLP,
        PyOD,
        Keras,
        HandWrittenConvolutional,
        HandWrittenChannelsLast,
        OursConvolutional,
        OursConvolutionalFromPCA,
        KerasConvolutional,
    )
}
