"""Rules by domain, and `iid`, which looks at neither domains nor classes."""

import torch
from torch import Tensor

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions.cut import CutOptions, cut_classes
from fedmvp_core.data.partitions.rows import require_one_label, rows_by_name
from fedmvp_core.errors import ConfigError
from fedmvp_core.seeding import generator


def iid(images: ImageSet, clients: int, seed: int) -> list[Tensor]:
    """Images in random order, dealt out to the clients in turn."""
    order = torch.randperm(len(images), generator=generator(seed, "partition"))
    order = rows_by_name(images)[order]
    return [order[start::clients].sort().values for start in range(clients)]


def by_domain(images: ImageSet, clients: int, seed: int) -> list[Tensor]:
    """Each client holds images of one domain.

    With k times as many clients as domains, the images of a domain are dealt out to k clients.
    """
    members_of = _rows_of_domains(images)
    each = _clients_per_domain("by-domain", list(members_of), clients)
    shards = []
    for domain, members in members_of.items():
        order = torch.randperm(len(members), generator=generator(seed, f"partition {domain}"))
        shards += [members[order[start::each]].sort().values for start in range(each)]
    return shards


def by_domain_and_class(
    images: ImageSet, clients: int, seed: int, options: CutOptions
) -> list[Tensor]:
    """As FedMVP's domain experiments: the clients of a domain share its classes among them.

    Contiguous groups of classes, the same number of clients for each domain. As published where
    that number is FedMVP's (OfficeHome 20, 20, 25), as equal as can be with any other.
    """
    require_one_label(images, "by-domain-and-class")
    members_of = _rows_of_domains(images)
    each = _clients_per_domain("by-domain-and-class", list(members_of), clients)
    shards = []
    for domain, members in members_of.items():
        labels = images.labels[members]
        classes = labels.unique()
        if each > len(classes):
            raise ConfigError(
                f"{clients} clients are {each} for each domain, but '{domain}' has "
                f"{len(classes)} classes to give; allowed: at most {len(classes)} a domain"
            )
        try:
            groups = cut_classes(classes, each, options.cut)
        except ConfigError as error:
            raise ConfigError(f"domain '{domain}': {error}") from None
        shards += [members[torch.isin(labels, group)].sort().values for group in groups]
    return shards


def _rows_of_domains(images: ImageSet) -> dict[str, Tensor]:
    """Domain -> positions of its images in the order of names; domains sorted."""
    order = rows_by_name(images).tolist()
    return {
        domain: torch.tensor([i for i in order if images.domains[i] == domain])
        for domain in sorted(set(images.domains))
    }


def _clients_per_domain(rule: str, domains: list[str], clients: int) -> int:
    if clients % len(domains):
        raise ConfigError(
            f"{clients} clients, but partition '{rule}' has {len(domains)} domains "
            f"({', '.join(name or 'unnamed' for name in domains)}); "
            f"allowed: a multiple of {len(domains)}"
        )
    return clients // len(domains)
