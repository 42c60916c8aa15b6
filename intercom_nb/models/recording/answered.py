"""The models of a log that is replayed: they have their names, and nobody is asked."""

from intercom_nb.models.client import ClientOptions
from intercom_nb.models.model import Model, Models
from intercom_nb.models.values import NO_KEY, Address, ModelChoice

__all__ = ["AnsweredModels"]

_NOWHERE = Address("http://replay/v1", NO_KEY)


class AnsweredModels(Models):
    """Models that have answered already.

    Parameters
    ----------
    default : str
        What agents without a model of their own ran on.
    """

    def __init__(self, default: str) -> None:
        super().__init__("offline", base_url=_NOWHERE.base_url, options=ClientOptions())
        self.default = self.named(default)

    def named(self, model: ModelChoice) -> Model:
        """Return a model of this name; None means the default."""
        if model is None:
            return self.default
        name = model if isinstance(model, str) else model.model
        return Model(name, name, self._client(_NOWHERE), self)
