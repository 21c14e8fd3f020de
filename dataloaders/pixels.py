"""The decoded pixels of pairs, each file decoded once and then read by memory map."""

from pathlib import Path

from console.progress import say
from dataloaders import cache
from imaging.files import load_image
from imaging.imresize import make_lr


def open_pixels(images, settings):
    """Opens the caches of HR and LR images; those not there yet are made.

    Args:
        images: list of `dataloaders.pairs.Pair`.
        settings: `dataloaders.paired.PairedSettings`.

    Returns:
        hr: A sequence of uint8 (H, W, 3), one for each pair.
        lr: dict, from a scale to such a sequence of LR images.

    Raises:
        InputError: An image or a cache cannot be read or written.
    """
    folder = Path(settings.cache_path or cache.default_folder())
    hr = []  # Those that LR images are made from, once they are there.
    hr_plan = _plan_hr(folder, images, settings)
    lr_plans = {s: _plan_lr(folder, images, settings, s, hr) for s in settings.scales}
    plans = [hr_plan, *lr_plans.values()]
    if all(plan.is_made() for plan in plans):
        say(f"{len(images)} images, cached in {folder}")
    cache.check_room(plans)
    hr.append(cache.open_cache(hr_plan, settings.in_memory))
    lr = {s: cache.open_cache(plan, settings.in_memory) for s, plan in lr_plans.items()}
    return hr[0], lr


def _plan_hr(folder, images, settings):
    paths = [pair.hr_path for pair in images]
    return cache.Plan(
        folder / cache.name_cache(settings.truth_path),
        cache.describe_sources(paths),
        [(*pair.hr_size, 3) for pair in images],
        lambda index: load_image(paths[index]),
    )


def _plan_lr(folder, images, settings, scale, hr):
    """The LR images of one scale, from files or made from HR."""
    shapes = [(*pair.lr_sizes[scale], 3) for pair in images]
    if settings.input_path is None:
        return cache.Plan(
            folder / cache.name_cache(settings.truth_path, f"-x{scale}"),
            cache.describe_sources([pair.hr_path for pair in images]),
            shapes,
            lambda index: make_lr(hr[0][index], scale),
        )
    paths = [pair.lr_paths[scale] for pair in images]
    # Other images may lie in the same folder: HR's, or those of another scale.
    others = [Path(settings.truth_path)]
    others += [p.parent for s, p in images[0].lr_paths.items() if s != scale]
    is_shared = any(paths[0].parent.resolve() == other.resolve() for other in others)
    suffix = f"-lr-x{scale}" if is_shared else ""
    return cache.Plan(
        folder / cache.name_cache(paths[0].parent, suffix),
        cache.describe_sources(paths),
        shapes,
        lambda index: load_image(paths[index]),
    )
