"""torch.cuda: there is none."""


def is_available() -> bool:
    """Whether a GPU can be used."""
    return False


def device_count() -> int:
    """How many GPUs there are."""
    return 0
