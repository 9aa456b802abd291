"""What is wrong between the parts of a configuration."""

from contracts.model import Frozen
from runtime.configuring.positions import Path


class Disagreement(Frozen):
    """Something to say about one place of the configuration."""

    path: Path
    sentence: str
    remedy: str
