"""The policy in force, and the classifier that applies it, from settings and files."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path

from bridge.app.models import with_model
from bridge.classify import (
    InForce,
    Override,
    Policy,
    RuleClassifier,
    Seniors,
    amended,
    parse_policy,
)
from bridge.classify.calibrate import Calibration, decoded
from bridge.errors import ConfigError, PolicyError
from bridge.model import Outcome
from bridge.protocols import Classifier
from config.settings import Settings

DEFAULT = "uk-nccc-2023.1"
CALIBRATION_FILE = "calibration.json"


def shipped_policies() -> dict[str, str]:
    """The texts of the distribution's policies by ``name-version``."""
    folder = files("config") / "policies"
    return {
        item.name.removesuffix(".toml"): item.read_text("utf-8")
        for item in sorted(folder.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".toml")
    }


@cache
def shipped_policy(wanted: str) -> Policy:
    """A policy of the distribution.

    Raises:
        ConfigError: there is none of that name and version.
    """
    known = shipped_policies()
    if wanted not in known:
        raise ConfigError(
            f'[policy] names "{wanted}", which is not shipped.',
            hint=f"Use one of: {', '.join(known)}; or name a file of your own as [policy] file.",
        )
    return parse_policy(known[wanted], known)


def policy_in(path: Path) -> Policy:
    """The policy in a file. What it extends is looked for beside it, then among the shipped ones.

    Raises:
        ConfigError: the file cannot be read.
        PolicyError: it cannot be put in force.
    """
    text = _text(path)
    beside = {
        each.name.removesuffix(".toml"): _text(each)
        for each in sorted(path.parent.glob("*.toml"))
        if f"{each.name.removesuffix('.toml')}" in text and each.name != path.name
    }
    return parse_policy(text, {**shipped_policies(), **beside})


def base_of(path: Path) -> str | None:
    """The name of the policy that the one in a file extends; None where it says none."""
    with suppress(ConfigError, PolicyError, tomllib.TOMLDecodeError):
        name = tomllib.loads(_text(path)).get("extends")
        # Only what stands beside a policy, or is shipped, is ever looked for.
        if isinstance(name, str) and name.isprintable() and name and name == Path(name).name:
            return name
    return None


def candidate(path: Path, settings: Settings | None) -> tuple[Policy, InForce]:
    """A policy that somebody may want in force, with the classifier it would give.

    That is under the same settings as the one in force, so that nothing differs but the policy.

    Raises:
        ConfigError: the file cannot be read.
        PolicyError: it cannot be put in force.
    """
    policy = policy_in(path)
    if settings is None:
        return policy, InForce(stages_of, policy)
    return policy, _in_force(_amended(policy, settings), settings)


def policy_sample(path: Path | None = None) -> bytes:
    """Lines to try a policy on: those of a file, or the shipped ones, which are invented.

    Raises:
        ConfigError: the file cannot be read.
    """
    if path is None:
        return (files("config") / "policies" / "sample.jsonl").read_bytes()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}).", hint="Name a file that is there."
        ) from None


def policy_of(settings: Settings) -> Policy:
    """The policy that the settings name, with what they change of it.

    Raises:
        ConfigError: it is not there, or not the one that the settings mean.
        PolicyError: it cannot be put in force.
    """
    chosen = settings.policy
    if chosen.file is None:
        policy = shipped_policy(f"{chosen.name}-{chosen.version}")
    else:
        policy = policy_in(chosen.file)
        if (policy.name, policy.version) != (chosen.name, chosen.version):
            raise ConfigError(
                f'[policy] name and version are "{chosen.name}" and "{chosen.version}", and the'
                f' file holds "{policy.name}" and "{policy.version}".',
                hint="Write the name and version of the file into the settings.",
            )
    return _amended(policy, settings)


def _amended(policy: Policy, settings: Settings) -> Policy:
    for senior in settings.capstone:
        if policy.capstone_roles and senior.role not in policy.capstone_roles:
            raise PolicyError(
                f'[[capstone]] role is "{senior.role}", which {policy.label} does not name.',
                hint=f"Use one of: {', '.join(policy.capstone_roles)}.",
            )
    seniors = [
        Seniors(role=each.role, ids=each.ids, authority=each.authority or "")
        for each in settings.capstone
    ]
    chosen = settings.policy
    return amended(
        policy, capstone=chosen.capstone, seniors=seniors, minutes=chosen.context_minutes
    )


def group_overrides(settings: Settings) -> Mapping[tuple[str, str], list[Override]]:
    """What the settings change for single groups, by connector and group id."""
    found: dict[tuple[str, str], list[Override]] = defaultdict(list)
    for each in settings.overrides:
        found[each.connector, each.group].append(
            Override(
                code=each.code,
                outcome=Outcome(each.outcome),
                reason=each.reason,
                approver=each.approver,
                date=date.fromisoformat(each.date),
            )
        )
    return found


def stages_of(policy: Policy) -> RuleClassifier:
    """The stages proper, with the model that is shipped."""
    return with_model(policy)


def classifier_of(settings: Settings | None) -> InForce:
    """The classifier in force; without settings the shipped default policy.

    A calibration of another policy or model is left aside: see :func:`idle_calibration`.

    Raises:
        ConfigError: a file cannot be read, or is not what the settings mean.
        PolicyError: the policy or an override cannot be put in force.
    """
    if settings is None:
        return InForce(stages_of, shipped_policy(DEFAULT))
    return _in_force(policy_of(settings), settings)


def _in_force(policy: Policy, settings: Settings) -> InForce:
    return InForce(
        stages_of,
        policy,
        groups=group_overrides(settings),
        calibration=calibration_of(settings),
    )


def calibration_of(settings: Settings) -> Calibration | None:
    """The calibration that was put in force last, whatever it was found on.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = settings.service.data_dir / CALIBRATION_FILE
    try:
        return decoded(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}).", hint="Check who may read it."
        ) from None


def idle_calibration(settings: Settings, classifier: Classifier) -> str:
    """Why a calibration that is there does not hold, in words; empty where there is nothing."""
    calibration = calibration_of(settings)
    if calibration is None or classifier.model.endswith(f"+{calibration.label}"):
        return ""
    return (
        f"{CALIBRATION_FILE} was found on {calibration.policy} and {calibration.model}, and"
        f" {classifier.policy} and {classifier.model} are in force: it does not hold."
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: is not UTF-8 text", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}).", hint="Name a file that is there."
        ) from None
