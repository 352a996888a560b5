"""scikit-learn's callbacks around the epochs of a fit."""


class SklearnCallbacks:
    """The task "fit" and one task per epoch, told to the callbacks of an estimator.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator being fitted.
    data : dict
        ``X``, ``y`` and ``metadata`` as handed to `fit`.
    n_epochs : int
        The most epochs there can be.
    attributes : callable
        ``attributes(fitted, start)``: what the estimator would have learnt, were this epoch the
        last; called only where a callback asks for it.
    """

    def __init__(self, estimator, data, n_epochs, attributes):
        self.estimator = estimator
        self.data = data
        self.attributes = attributes
        self.epoch = None
        self.fit = estimator._init_callback_context(max_subtasks=n_epochs)
        self.fit.call_on_fit_task_begin(estimator=estimator, **data)
        if n_epochs:
            self._begin_epoch()

    def _begin_epoch(self):
        self.epoch = self.fit.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end_epoch(self, fitted, last):
        """Tell that an epoch ended, the last one or not; whether a callback asks for the end.

        ``fitted`` is a function that gives the network with the weights of this epoch, and the
        start.
        """
        stop = self.epoch.call_on_fit_task_end(
            estimator=self.estimator,
            **self.data,
            reconstruction_attributes=lambda: self.attributes(*fitted()),
        )
        self.epoch = None
        if not (stop or last):
            self._begin_epoch()
        return stop

    def end(self):
        """Tell that the fit ended, and an epoch that something else has stopped."""
        if self.epoch is not None:
            self.epoch.call_on_fit_task_end(
                estimator=self.estimator, **self.data, reconstruction_attributes={}
            )
        self.fit.call_on_fit_task_end(
            estimator=self.estimator, **self.data, reconstruction_attributes={}
        )
