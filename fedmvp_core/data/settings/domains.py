"""Settings by domain: several sources and one target (msst), one source and several (ssmt)."""

from collections.abc import Sequence
from dataclasses import dataclass

from fedmvp_core.attributes.chosen import attributes_of
from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.config.options import option, parse_options
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.settings.parts import evaluation, task_maker, tested
from fedmvp_core.data.settings.setting import Setting
from fedmvp_core.data.settings.summaries import mean_over_targets, no_headline
from fedmvp_core.errors import ConfigError


@dataclass(frozen=True)
class MsstOptions:
    """Of `msst`."""

    target_domain: str = option("sketch", "the domain that is tested on, and not trained on")


@dataclass(frozen=True)
class SsmtOptions:
    """Of `ssmt`."""

    source_domain: str = option("noto", "the only domain that is trained on")


def msst(dataset: Dataset, data: DataSection, run: RunSection, options: MsstOptions) -> Setting:
    """Train on every domain but `target-domain`; test on the sources and on the target.

    FedMVP, table 2.

    Raises:
        ConfigError: the data set has no such domain, or no other.
    """
    _check_domain(dataset, "msst", "target-domain", options.target_domain)
    sources = [domain for domain in dataset.domains if domain != options.target_domain]
    return _of_domains(dataset, data, sources, {"target": options.target_domain}, single=True)


def ssmt(dataset: Dataset, data: DataSection, run: RunSection, options: SsmtOptions) -> Setting:
    """Train on `source-domain` alone; test on it and on each other domain, one split each.

    The headline is the mean over the targets.

    Raises:
        ConfigError: the data set has no such domain, or no other.
    """
    _check_domain(dataset, "ssmt", "source-domain", options.source_domain)
    others = [domain for domain in dataset.domains if domain != options.source_domain]
    targets = {f"target-{domain}": domain for domain in others}
    return _of_domains(dataset, data, [options.source_domain], targets, single=False)


def source_domains(data: DataSection, domains: Sequence[str]) -> list[str]:
    """Those of `domains` that the configured setting trains on: all, where it is not by domain.

    Raises:
        ConfigError: an option of the setting is unknown.
    """
    if data.setting == "msst":
        target = parse_options("setting 'msst'", MsstOptions, data.setting_options).target_domain
        return [domain for domain in domains if domain != target]
    if data.setting == "ssmt":
        source = parse_options("setting 'ssmt'", SsmtOptions, data.setting_options).source_domain
        return [domain for domain in domains if domain == source]
    return list(domains)


def _of_domains(
    dataset: Dataset,
    data: DataSection,
    sources: list[str],
    targets: dict[str, str],
    single: bool,
) -> Setting:
    """targets: name of the split -> domain. single: one target needs no mean."""
    make_task = task_maker(attributes_of(data, dataset), data, dataset.train.multi_label)
    task, test = make_task(dataset.class_names), tested(dataset, data)
    splits = {"source": sources, **{name: [domain] for name, domain in targets.items()}}
    return Setting(
        train=dataset.train.of_domains(sources),
        validation=dataset.validation.of_domains(sources),
        evaluations=tuple(
            evaluation(name, test.of_domains(domains), task, dataset)
            for name, domains in splits.items()
        ),
        local={},
        summary=no_headline if single else mean_over_targets(tuple(targets)),
        make_task=make_task,
    )


def _check_domain(dataset: Dataset, setting: str, key: str, domain: str) -> None:
    if domain not in dataset.domains:
        raise ConfigError(
            f"{key} is '{domain}'; {dataset.name} has the domains: "
            f"{', '.join(dataset.domains) or 'none'}"
        )
    if len(dataset.domains) < 2:
        raise ConfigError(f"setting '{setting}' needs 2 domains or more; {dataset.name} has 1")
