"""What a spec may ask of augmentation: its mistakes, each at its place, found before training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkit.commands.check import check
from nnkit.config.document import parse_document
from nnkit.data.augmentations import AUGMENTATIONS, pictures
from nnkit.errors import SpecError
from nnkit.spec import load, ready
from nnkit.summaries import check_tables
from tests.commands.pictures import archive, picture_spec

EVERYTHING = list(AUGMENTATIONS.entries)


def test_every_augmentation_passes_check_with_its_defaults_and_is_torchs(tmp_path: Path) -> None:
    report = check(picture_spec(tmp_path, EVERYTHING))
    assert report.engine == "torch"
    assert report.augmented == {"input": EVERYTHING}
    assert ["training input", ", ".join(EVERYTHING)] in check_tables(report)[1].rows
    assert report.engine_reason == "the native engine is left out: data.augment is torch's"
    without = check(picture_spec(tmp_path, []))
    assert without.engine_reason != report.engine_reason
    assert without.augmented == {}


def test_the_native_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"training\.engine: the native engine cannot train this: data\.augment is"):
        check(picture_spec(tmp_path, ["flip"], training__engine="native"))


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (
            {"type": "translate", "shift": 0},
            r"expected a whole number of at least 1 or a number greater than 0 and less",
        ),
        ({"type": "translate", "shift": 1.5}, r"shift: expected .* found 1\.5"),
        (
            {"type": "translate", "shift": 8},
            r"translate would leave nothing: expected shift under 8, found 8; .* 8 x 10",
        ),
        ({"type": "translate", "shift": 0.04}, r"translate would do nothing: shift 0\.04 is less than half a pixel of"),
        ({"type": "crop", "padding": 9}, r"crop would leave nothing: expected padding under 8, found 9"),
        ({"type": "cutout", "size": 8}, r"cutout would leave nothing: expected size under 8, found 8"),
        (
            {"type": "rotate", "degrees": 181},
            r"degrees: expected a number greater than 0 and of at most 180, found 181",
        ),
        (
            {"type": "rotate", "fill_mode": "reflect", "fill_value": 0.5},
            r"fill_value is for fill_mode: constant; .* 0\.5",
        ),
        (
            {"type": "rotate", "fill_mode": "wrap"},
            r"fill_mode: expected one of constant, nearest, reflect, found 'wrap'",
        ),
        ({"type": "zoom", "low": 1.2}, r"expected low under high, found 1\.2 and 1\.1"),
        ({"type": "blur", "low": 2}, r"expected low under high, found 2 and 1"),
        ({"type": "shear", "degrees": 80}, r"degrees: expected a number greater than 0 and less than 80, found 80"),
        ({"type": "flip", "direction": "left"}, r"direction: expected one of horizontal, vertical, both, found 'left'"),
        ({"type": "mixup", "alpha": 0}, r"alpha: expected a number greater than 0 and of at most 100, found 0"),
        ({"type": "noise", "probability": 1.1}, r"probability: expected a number from 0 to 1, found 1\.1"),
        ({"type": "rotat"}, r"unknown augmentation 'rotat'; did you mean 'rotate'"),
    ],
    ids=str,
)
def test_mistakes_are_told_at_their_place(tmp_path: Path, piece: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=rf"spec\.yaml:\d+: data\.augment\[1\].*{message}"):
        check(picture_spec(tmp_path, ["flip", piece]))


def test_inputs_that_are_no_pictures_are_told_with_all_that_is_wrong_besides(tmp_path: Path) -> None:
    archive(tmp_path / "p.npz", shape=(8, 10))
    with pytest.raises(SpecError) as caught:
        check(picture_spec(tmp_path, ["flip", "rotate"], training__callbacks=["early_stopping"], data__split={}))
    text = str(caught.value)
    assert (
        "data.augment[0]: flip is for pictures, which are height x width x channels; there is no such input: " in text
    )
    assert "input (8 x 10)" in text
    assert "data.augment[1]: rotate is for pictures" in text
    assert "validation_loss needs validation rows" in text


@pytest.mark.parametrize("name", ["brightness", "contrast", "noise"])
def test_values_beyond_0_and_1_are_refused_where_they_are_cut_off_there(tmp_path: Path, name: str) -> None:
    scaled = {"data__transforms": ["standard_scale"]}
    with pytest.raises(
        SpecError, match=rf"data\.augment\[1\]: {name} takes values from 0 to 1, and input holds -\d.* to"
    ):
        check(picture_spec(tmp_path, ["rotate", name], **scaled))
    check(picture_spec(tmp_path, ["rotate", "cutout", "blur", "mixup"], **scaled))
    check(picture_spec(tmp_path, [name], data__transforms=["min_max_scale"]))


def test_mixtures_need_a_picture_alone_and_two_rows(tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"augment\[0\]: mixup mixes the rows of a batch; expected training\.batch_size"
    ):
        check(picture_spec(tmp_path, ["mixup"], training__batch_size=1))
    path = archive(tmp_path / "p.npz")
    with np.load(path) as arrays:
        np.savez(path, **arrays, more=arrays["amount"] * 2)
    model = [
        {"name": "flat", "type": "flatten", "inputs": ["input.image"]},
        {"type": "concatenate", "inputs": ["flat", "input.facts"]},
        {"type": "dense", "units": 1, "activation": "sigmoid"},
    ]
    both = {
        "data__source__arrays": ["image", "side", "amount", "more"],
        "data__inputs": {"image": ["image"], "facts": ["amount", "more"]},
        "model__layers": model,
    }
    expected = (
        r"cutmix mixes whole rows, so the picture must be the only input; expected one, found image \(8 x 10 x 1\), "
    )
    with pytest.raises(SpecError, match=expected):
        check(picture_spec(tmp_path, ["cutmix"], **both))
    check(picture_spec(tmp_path, ["rotate", "noise"], **both))


def test_a_list_is_written_out_with_every_default_and_reads_back(tmp_path: Path) -> None:
    from nnkit.spec import dump

    loaded = load(picture_spec(tmp_path, [{"type": "translate", "shift": 2}, *EVERYTHING]))
    written: Any = parse_document(dump(loaded.experiment), "", Path()).tree
    assert written["data"]["augment"][0] == {
        "type": "translate",
        "probability": 1.0,
        "fill_mode": "constant",
        "fill_value": 0.0,
        "shift": 2,
        "direction": "both",
    }
    assert isinstance(written["data"]["augment"][0]["shift"], int)
    again = tmp_path / "again.yaml"
    again.write_text(dump(loaded.experiment))
    assert load(again).experiment == loaded.experiment


def test_what_is_prepared_knows_its_augmentations(tmp_path: Path) -> None:
    made = ready(load(picture_spec(tmp_path, ["flip", "blur"])))
    assert [piece.type_name for piece in made.prepared.augment] == ["flip", "blur"]


def test_pictures_are_inputs_of_three_axes_of_one_size() -> None:
    shapes = {"a": (8, 9, 3), "row": (4,), "words": (None, 5), "clips": (None, 8, 8), "volume": (4, 8, 8, 1)}
    assert pictures(shapes) == {"a": (8, 9, 3)}
