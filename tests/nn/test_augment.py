"""Augmentations beside numpy, scipy and plain loops: exact moves, statistics of draws, rows apart from each other."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats
from torch import Tensor

from nnkit.data.augmentations import AUGMENTATIONS, augmenter
from nnkit.engine.draws import PlacedDraws, StreamDraws
from nnkit.engine.order import RowDraws
from nnkit.nn.augment import Augmented, symmetric_beta

PICTURES = np.random.default_rng(0).random((40, 9, 12, 3)).astype(np.float32)
NAMES = list(AUGMENTATIONS.entries)


class Given:
    """Draws that a test sets: the same ones for each row."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def kept(self, name: str, x: Tensor, rate: float) -> Tensor:
        raise AssertionError("no augmentation drops values")

    def normal(self, name: str, x: Tensor) -> Tensor:
        return torch.full_like(x, self.values[0])

    def uniform(self, name: str, x: Tensor, values: int) -> Tensor:
        drawn = torch.full((len(x), values), 0.5, dtype=x.dtype)
        drawn[:, 1 : 1 + len(self.values)] = torch.tensor(self.values)[: values - 1]
        return drawn


def placed(seed: int = 1, epoch: int = 0, row: int = 0) -> PlacedDraws:
    draws = PlacedDraws(RowDraws(seed, "test"))
    draws.seek(epoch, row)
    return draws


def augmented(x: NDArray[Any], draws: Any, *pieces: Any) -> Augmented:
    made = augmenter([AUGMENTATIONS.decode(piece) for piece in pieces], {"input": x.shape[1:]})
    assert made is not None
    return made({"input": torch.from_numpy(x)}, draws)


def changed(x: NDArray[Any], draws: Any, *pieces: Any) -> NDArray[Any]:
    result: NDArray[Any] = augmented(x, draws, *pieces).inputs["input"].numpy()
    return result


def shifted(picture: NDArray[Any], down: int, right: int, mode: str, value: float = 0.0) -> NDArray[Any]:
    """Shift one picture through padding."""
    options = {"constant_values": value} if mode == "constant" else {}
    named: Any = {"constant": "constant", "nearest": "edge", "reflect": "symmetric"}[mode]
    padded = np.pad(picture, ((5, 5), (5, 5), (0, 0)), named, **options)
    height, width = picture.shape[:2]
    return padded[5 - down : 5 - down + height, 5 - right : 5 - right + width]


@pytest.mark.parametrize("mode", ["constant", "nearest", "reflect"])
@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, 0), (0, -2), (-3, 3), (1, -1)])
def test_translate_and_crop_move_whole_pixels_exactly(mode: str, down: int, right: int) -> None:
    draws = Given((right + 3.5) / 7, (down + 3.5) / 7)
    expected = np.stack([shifted(picture, down, right, mode) for picture in PICTURES])
    for piece in ({"type": "translate", "shift": 3}, {"type": "crop", "padding": 3}):
        np.testing.assert_array_equal(changed(PICTURES, draws, {**piece, "fill_mode": mode}), expected)


def test_a_shift_may_be_a_share_in_one_direction_with_a_fill_value() -> None:
    piece = {"type": "translate", "shift": 0.25, "direction": "horizontal", "fill_value": 0.5}
    expected = np.stack([shifted(picture, 0, 3, "constant", 0.5) for picture in PICTURES])
    np.testing.assert_allclose(changed(PICTURES, Given(0.99, 0.99), piece), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("direction", "axes"), [("horizontal", (2,)), ("vertical", (1,)), ("both", (1, 2))], ids=lambda value: str(value)
)
def test_flip_is_numpys(direction: str, axes: tuple[int, ...]) -> None:
    piece = {"type": "flip", "direction": direction, "probability": 1}
    np.testing.assert_array_equal(changed(PICTURES, placed(), piece), np.flip(PICTURES, axes))


@pytest.mark.parametrize(("draw", "turns"), [(0.0, -2), (0.25, -1), (0.5, 0), (0.75, 1), (1.0, 2)])
@pytest.mark.parametrize("between", ["bilinear", "nearest"])
def test_rotate_by_right_angles_is_numpys(draw: float, turns: int, between: str) -> None:
    square = PICTURES[:, :, :9]
    piece = {"type": "rotate", "degrees": 180, "interpolation": between}
    expected = np.rot90(square, turns, (1, 2))
    np.testing.assert_allclose(changed(square, Given(draw), piece), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["constant", "nearest", "reflect"])
def test_rotate_by_any_angle_is_scipys(mode: str) -> None:
    smooth = np.asarray(ndimage.gaussian_filter(PICTURES, (0, 2, 2, 0)), np.float32)
    turned = changed(smooth, Given(0.9), {"type": "rotate", "degrees": 25, "fill_mode": mode})
    named = "grid-constant" if mode == "constant" else mode
    expected = ndimage.rotate(smooth, 25 * 0.8, (1, 2), reshape=False, order=1, mode=named)
    np.testing.assert_allclose(turned, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("piece", "draws", "matrix"),
    [
        ({"type": "zoom", "low": 0.5, "high": 2}, (1.0,), [[0.5, 0], [0, 0.5]]),
        ({"type": "zoom", "low": 0.5, "high": 2}, (0.0,), [[2, 0], [0, 2]]),
        ({"type": "shear", "degrees": 45}, (1.0, 1.0), [[1, 0], [1, 1]]),
        ({"type": "shear", "degrees": 45, "direction": "vertical"}, (1.0, 1.0), [[1, 1], [0, 1]]),
        ({"type": "shear", "degrees": 45, "direction": "both"}, (1.0, 1.0), [[1, 1], [1, 2]]),
    ],
    ids=str,
)
def test_zoom_and_shear_are_scipys_affine_transform(
    piece: dict[str, Any], draws: tuple[float, ...], matrix: list[list[float]]
) -> None:
    """The matrix takes (y, x) of the new picture to the old one."""
    moved = changed(PICTURES, Given(*draws), piece)
    middle = (np.array(PICTURES.shape[1:3]) - 1) / 2
    offset = middle - np.array(matrix) @ middle
    for picture, new in zip(PICTURES, moved, strict=True):
        planes = [
            ndimage.affine_transform(picture[..., channel], np.array(matrix), offset, order=1, mode="grid-constant")
            for channel in range(3)
        ]
        np.testing.assert_allclose(new, np.stack(planes, 2), atol=1e-4)


@pytest.mark.parametrize("piece", [{"type": "zoom", "low": 0.5, "high": 1.5}, "shear", "rotate"], ids=str)
def test_a_move_by_nothing_changes_no_bit(piece: Any) -> None:
    np.testing.assert_array_equal(changed(PICTURES, Given(0.5, 0.5), piece), PICTURES)


def test_moves_that_follow_each_other_are_one_and_lose_nothing() -> None:
    smaller, larger = {"type": "zoom", "low": 1.5, "high": 2}, {"type": "zoom", "low": 0.5, "high": 0.6}
    there_and_back = changed(PICTURES, Given(1.0), smaller, {**larger, "low": 0.4, "high": 0.5})
    np.testing.assert_allclose(there_and_back, PICTURES, atol=1e-5)
    apart = changed(PICTURES, Given(1.0), smaller, {**larger, "low": 0.4, "high": 0.5, "fill_mode": "nearest"})
    assert np.abs(apart - PICTURES).max() > 0.1


def test_the_order_of_moves_is_the_lists() -> None:
    draws = Given(1.0, 0.5)
    turn, shift = {"type": "rotate", "degrees": 90}, {"type": "translate", "shift": 3, "direction": "horizontal"}
    square = PICTURES[:, :, :9]
    turned_first = np.stack([shifted(np.rot90(picture, 1), 0, 3, "constant") for picture in square])
    shifted_first = np.stack([np.rot90(shifted(picture, 0, 3, "constant"), 1) for picture in square])
    np.testing.assert_allclose(changed(square, draws, turn, shift), turned_first, atol=1e-5)
    np.testing.assert_allclose(changed(square, draws, shift, turn), shifted_first, atol=1e-5)


def test_brightness_and_contrast_are_sums_done_by_hand() -> None:
    brighter = changed(PICTURES, Given(1.0), {"type": "brightness", "factor": 0.3})
    np.testing.assert_allclose(brighter, np.clip(PICTURES + 0.3, 0, 1), atol=1e-6)
    darker = changed(PICTURES, Given(0.0), {"type": "brightness", "factor": 0.3})
    np.testing.assert_allclose(darker, np.clip(PICTURES - 0.3, 0, 1), atol=1e-6)
    mean = PICTURES.mean((1, 2), keepdims=True)
    stronger = changed(PICTURES, Given(1.0), {"type": "contrast", "factor": 0.5})
    np.testing.assert_allclose(stronger, np.clip(mean + 1.5 * (PICTURES - mean), 0, 1), atol=1e-6)


def test_noise_adds_normal_draws_that_differ_between_pictures_of_a_row() -> None:
    noisy = changed(PICTURES, Given(2.0), {"type": "noise", "stddev": 0.1})
    np.testing.assert_allclose(noisy, np.clip(PICTURES + 0.2, 0, 1), atol=1e-6)
    grey = np.full((2000, 4, 4, 1), 0.5, np.float32)
    residue = changed(grey, placed(), {"type": "noise", "stddev": 0.1}) - 0.5
    assert residue.std() == pytest.approx(0.1, rel=0.02)
    made = augmenter([AUGMENTATIONS.decode("noise")], {"left": (4, 4, 1), "right": (4, 4, 1)})
    assert made is not None
    both = made({"left": torch.from_numpy(grey), "right": torch.from_numpy(grey)}, placed()).inputs
    assert not torch.equal(both["left"], both["right"])


def test_blur_is_a_gaussian_mean_of_the_pixels_that_are_there() -> None:
    blurred = changed(PICTURES, Given(1.0), {"type": "blur", "low": 0.1, "high": 1.3, "probability": 1})
    expected = PICTURES
    for axis in (1, 2):
        size = PICTURES.shape[axis]
        weights = np.exp(-((np.arange(size)[:, None] - np.arange(size)) ** 2) / (2 * 1.3**2))
        expected = np.moveaxis(np.tensordot(weights / weights.sum(1, keepdims=True), expected, (1, axis)), 0, axis)
    np.testing.assert_allclose(blurred, expected, atol=2e-4)
    inner = ndimage.gaussian_filter(PICTURES, (0, 0.3, 0.3, 0))[:, 3:-3, 3:-3]
    light = changed(PICTURES, Given(1.0), {"type": "blur", "low": 0.1, "high": 0.3, "probability": 1})
    np.testing.assert_allclose(light[:, 3:-3, 3:-3], inner, atol=1e-4)


def test_cutout_fills_a_square_that_may_reach_over_the_border() -> None:
    piece = {"type": "cutout", "size": 4, "fill_value": 0.25}
    inside = changed(PICTURES, Given(4.5 / 9, 6.5 / 12), piece)
    expected = PICTURES.copy()
    expected[:, 2:6, 4:8] = 0.25
    np.testing.assert_array_equal(inside, expected)
    corner = changed(PICTURES, Given(0.0, 0.0), piece)
    expected = PICTURES.copy()
    expected[:, :2, :2] = 0.25
    np.testing.assert_array_equal(corner, expected)
    share = changed(PICTURES, Given(0.5, 0.5), {"type": "cutout", "size": 1 / 3})
    assert (share[0, :, :, 0] == 0).sum() == 9


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 2.5, 100.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    draw = torch.Generator().manual_seed(0)
    u, v = torch.rand(2, 20_000, generator=draw)
    values = symmetric_beta(alpha, u, v).numpy()
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1
    # Nearer to 0 and 1 than this float32 cannot tell.
    points = np.array([0.001, 0.01, 0.1, 0.3, 0.49, 0.5, 0.7, 0.9, 0.99, 0.999])
    found = (values[:, None] < points).mean(0)
    np.testing.assert_allclose(found, stats.beta(alpha, alpha).cdf(points), atol=0.015)


def test_mixup_adds_up_two_rows() -> None:
    mixed = augmented(PICTURES, placed(), {"type": "mixup", "alpha": 1})
    assert mixed.parts is not None
    (own, share), (partner, rest) = mixed.parts
    assert torch.equal(own, torch.arange(40))
    assert sorted(partner.tolist()) == list(range(40))
    np.testing.assert_allclose((share + rest).numpy(), 1, atol=1e-6)
    expected = [float(share[row]) * PICTURES[row] + float(rest[row]) * PICTURES[int(partner[row])] for row in range(40)]
    np.testing.assert_allclose(mixed.inputs["input"].numpy(), np.stack(expected), atol=1e-6)


def test_cutmix_puts_in_a_box_whose_area_is_the_share() -> None:
    mixed = augmented(PICTURES, placed(), {"type": "cutmix", "probability": 1})
    assert mixed.parts is not None
    (_, share), (partner, _) = mixed.parts
    boxes = 0
    for row in range(40):
        new, own, other = mixed.inputs["input"][row].numpy(), PICTURES[row], PICTURES[int(partner[row])]
        from_own, from_other = (new == own).all(2), (new == other).all(2)
        assert (from_own | from_other).all()
        if partner[row] == row:
            continue
        assert float(1 - share[row]) == pytest.approx(from_other.mean(), abs=1e-6)
        ys, xs = np.nonzero(from_other)
        if len(ys):
            boxes += 1
            assert (1 + np.ptp(ys)) * (1 + np.ptp(xs)) == len(ys)
    assert boxes > 20


def test_mixtures_of_mixtures_have_all_their_parts() -> None:
    both = augmented(PICTURES, placed(), {"type": "mixup", "alpha": 1}, {"type": "cutmix", "probability": 1})
    assert both.parts is not None
    assert len(both.parts) == 4
    total = sum(share for _, share in both.parts)
    assert isinstance(total, Tensor)
    np.testing.assert_allclose(total.numpy(), 1, atol=1e-6)
    flat = np.stack([np.full((9, 12, 1), row, np.float32) for row in range(40)])
    marked = augmented(flat, placed(), {"type": "mixup", "alpha": 1}, {"type": "cutmix", "probability": 1})
    assert marked.parts is not None
    means = marked.inputs["input"].mean((1, 2, 3)).numpy()
    expected = sum(rows.float() * share for rows, share in marked.parts)
    assert isinstance(expected, Tensor)
    np.testing.assert_allclose(means, expected.numpy(), rtol=1e-4)


MOVED = {"blur": {"low": 1, "high": 2}, "translate": {"shift": 3}, "mixup": {"alpha": 1}, "cutmix": {"alpha": 1}}


@pytest.mark.parametrize("name", NAMES)
def test_the_probability_is_the_share_of_rows_that_change(name: str) -> None:
    many = np.random.default_rng(1).random((1500, 6, 6, 1)).astype(np.float32)
    shares = []
    for probability in (0.0, 0.3, 1.0):
        new = changed(many, placed(), {"type": name, **MOVED.get(name, {}), "probability": probability})
        shares.append(float((new != many).any((1, 2, 3)).mean()))
    assert shares[0] == 0
    assert shares[2] > 0.6  # A draw may be to move by nothing.
    assert shares[1] == pytest.approx(0.3 * shares[2], abs=0.05)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_draw_for_themselves_and_the_same_again(name: str, dtype: type[Any]) -> None:
    alike = np.repeat(PICTURES[:1], 64, 0).astype(dtype)
    if name in ("mixup", "cutmix"):
        alike[1::2] = PICTURES[1]
    piece = {"type": name, **MOVED.get(name, {}), "probability": 1}
    new = changed(alike, placed(), piece)
    assert new.dtype == dtype
    assert new.shape == alike.shape
    assert len({row.tobytes() for row in new}) > (3 if name == "flip" else 10) - 3 * (name == "flip")
    np.testing.assert_array_equal(changed(alike, placed(), piece), new)
    assert not np.array_equal(changed(alike, placed(seed=2), piece), new) or name == "flip"
    assert not np.array_equal(changed(alike, placed(epoch=1), piece), new) or name == "flip"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("noise", "mixup", "cutmix")])
def test_what_becomes_of_a_row_follows_from_its_place_alone(name: str) -> None:
    piece = {"type": name, **MOVED.get(name, {})}
    whole = changed(PICTURES, placed(row=1000), piece)
    parts = [changed(PICTURES[start : start + 7], placed(row=1000 + start), piece) for start in range(0, 40, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("name", ["brightness", "contrast", "noise", "blur"])
def test_values_stay_between_0_and_1(name: str) -> None:
    extreme = (PICTURES > 0.5).astype(np.float32)
    new = changed(extreme, placed(), name)
    assert new.min() >= 0
    assert new.max() <= 1 + 1e-6


def test_draws_of_a_stream_go_on_from_its_state() -> None:
    stream = StreamDraws(torch.Generator().manual_seed(3))
    state = stream.state()
    first = changed(PICTURES, stream, "translate", "rotate", "noise", "mixup")
    second = changed(PICTURES, stream, "translate", "rotate", "noise", "mixup")
    assert not np.array_equal(first, second)
    stream.load(state)
    np.testing.assert_array_equal(changed(PICTURES, stream, "translate", "rotate", "noise", "mixup"), first)


def test_inputs_that_are_no_pictures_are_left_alone() -> None:
    made = augmenter([AUGMENTATIONS.decode("rotate")], {"image": (9, 12, 3), "facts": (4,)})
    assert made is not None
    facts = torch.rand(40, 4)
    inputs = made({"image": torch.from_numpy(PICTURES), "facts": facts}, placed()).inputs
    assert inputs["facts"] is facts
    assert not torch.equal(inputs["image"], torch.from_numpy(PICTURES))


def test_a_list_of_none_is_no_augmenter() -> None:
    assert augmenter([], {"input": (9, 12, 3)}) is None


@pytest.mark.parametrize(("piece", "deviation"), [("translate", None), ("rotate", 15 / np.sqrt(3))])
def test_draws_are_spread_evenly(piece: str, deviation: float | None) -> None:
    from nnkit.nn.warp import Rotate, Sampling, Shift

    x = torch.zeros(6000, 20, 30, 1)
    if deviation is None:
        matrices = Shift("n", 1.0, Sampling(), 2).matrices(x, placed())
        for axis in (0, 1):
            counts = np.unique(matrices[:, axis, 2].numpy(), return_counts=True)
            np.testing.assert_array_equal(counts[0], [-2, -1, 0, 1, 2])
            assert abs(counts[1] - 1200).max() < 160  # five deviations
    else:
        angles = np.degrees(np.arcsin(Rotate("n", 1.0, Sampling(), 15).matrices(x, placed())[:, 1, 0].numpy()))
        assert angles.std() == pytest.approx(deviation, rel=0.03)
        assert abs(angles.mean()) < 0.6
        assert abs(angles).max() <= 15
