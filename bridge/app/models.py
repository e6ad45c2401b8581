"""The model that is shipped, read from the distribution and checked against its digest."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bridge.classify import Policy, RuleClassifier
from bridge.classify.model import Model, read_model
from bridge.errors import ConfigError

SHIPPED = "heads-and-trees-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInForce:
    """A model, or why there is none (``fault``)."""

    model: Model | None
    fault: str = ""


def model_file(name: str = SHIPPED) -> tuple[bytes, str]:
    """A shipped model's file, and the digest that it must have.

    Raises:
        ConfigError: one of them is missing.
    """
    folder = files("config") / "models"
    try:
        about = tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))
        return (folder / f"{name}.bin").read_bytes(), str(about["sha256"])
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(
            f"the model {name} cannot be read ({type(error).__name__})",
            hint="Install the program again.",
        ) from error


@cache
def model_in_force() -> ModelInForce:
    """The shipped model. One that is missing or has been changed is a fault, not an error."""
    try:
        data, sha256 = model_file()
        return ModelInForce(model=read_model(data, sha256=sha256))
    except ConfigError as error:
        return ModelInForce(model=None, fault=str(error))


def word_classes() -> Mapping[str, tuple[str, ...]]:
    """The classes of words that training gives to a model."""
    text = (files("config") / "models" / "word-classes.toml").read_text("utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for name, words in tomllib.loads(text)["classes"].items():
        for word in words.split():
            found[word] = (*found.get(word, ()), name)
    return found


def with_model(policy: Policy) -> RuleClassifier:
    """The stages proper: a policy with the shipped model."""
    found = model_in_force()
    return RuleClassifier(policy, found.model, fault=found.fault)
