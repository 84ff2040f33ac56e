"""How many clients FedMVP shares a data set's classes among."""

CLASSES_A_CLIENT = 20


def clients_of(classes: int) -> int:
    """About 20 classes each: max(round(classes / 20), 1), half to even (FedMVP's released code).

    classes: the base classes of a base-to-new run, or all classes of a domain.
    """
    return max(round(classes / CLASSES_A_CLIENT), 1)
