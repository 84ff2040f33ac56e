"""Settings by domain: several sources and one target (msst), one source and several (ssmt)."""

from fedmvp_core.attributes.files import attributes_of
from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.settings.parts import evaluation, task_maker, tested
from fedmvp_core.data.settings.setting import Setting
from fedmvp_core.data.settings.summaries import mean_over_targets, no_headline
from fedmvp_core.errors import ConfigError


def msst(dataset: Dataset, config: RunConfig) -> Setting:
    """Train on every domain but `target-domain`; test on the sources and on the target.

    FedMVP, table 2.

    Raises:
        ConfigError: the data set has no such domain, or no other.
    """
    _check_domain(dataset, "msst", "target-domain", config.data.target_domain)
    sources = [domain for domain in dataset.domains if domain != config.data.target_domain]
    return _of_domains(dataset, config, sources, {"target": config.data.target_domain}, single=True)


def ssmt(dataset: Dataset, config: RunConfig) -> Setting:
    """Train on `source-domain` alone; test on it and on each other domain, one split each.

    The headline is the mean over the targets.

    Raises:
        ConfigError: the data set has no such domain, or no other.
    """
    _check_domain(dataset, "ssmt", "source-domain", config.data.source_domain)
    others = [domain for domain in dataset.domains if domain != config.data.source_domain]
    targets = {f"target-{domain}": domain for domain in others}
    return _of_domains(dataset, config, [config.data.source_domain], targets, single=False)


def _of_domains(
    dataset: Dataset,
    config: RunConfig,
    sources: list[str],
    targets: dict[str, str],
    single: bool,
) -> Setting:
    """targets: name of the split -> domain. single: one target needs no mean."""
    make_task = task_maker(attributes_of(config, dataset), config, dataset.train.multi_label)
    task, test = make_task(dataset.class_names), tested(dataset, config)
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
