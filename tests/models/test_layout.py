"""The mistakes that a list of layers can have."""

import time

import pytest

from tests.models.tools import dense, plan, problems


def test_every_mistake_of_a_graph_is_told_at_once() -> None:
    assert problems(
        dense(3, name="a"),
        dense(4, name="b", inputs=["input"]),
        {"type": "add", "inputs": ["a", "b"]},
        dense(2, name="a", inputs=["bb"]),
        {"type": "dropout", "rate": 0.1, "l2": 0.1, "inputs": ["b"]},
        dense(1, weights={"kernel": [[1, 2]], "bia": [1]}),
    ) == [
        "model.layers[2]: add_1 reads a (3) and b (4): add needs inputs of one shape, got 3 and 4",
        "model.layers[3].name: two layers are called 'a', this one and one above (model.layers[0]); rename one",
        "model.layers[3].inputs[0]: there is no layer 'bb' above this one; did you mean 'b'? "
        "Above are: input, a, b, add_1",
        "model.layers[4].l2: the layer dropout has no kernel for l2 to act on; leave it out",
        "model.layers[5].weights.kernel: kernel is 1 x 2, and the layer dense needs 4 x 1 here",
        "model.layers[5].weights.bia: the layer dense has no weight 'bia'; did you mean 'bias'? It has: kernel, bias",
        "model.layers[2]: nothing reads the layer add_1; name it in another layer's inputs, or take it out",
        "model.layers[3]: nothing reads the layer a'; name it in another layer's inputs, or take it out",
    ]


def test_reading_a_layer_below_is_no_cycle_but_a_mistake() -> None:
    found = problems({"name": "a", "type": "add", "inputs": ["input", "b"]}, dense(2, name="b"))
    assert found == [
        "model.layers[0].inputs[1]: there is no layer 'b' above this one. Above are: input",
    ]


def test_a_layer_does_not_read_itself() -> None:
    assert "no layer 'a' above" in problems({"name": "a", "type": "add", "inputs": ["input", "a"]})[0]


def test_a_misspelt_name_is_one_mistake_and_not_an_orphan_too() -> None:
    assert len(problems(dense(3, name="stem"), dense(3, name="side", inputs=["input"]), dense(1, inputs=["stm"]))) == 2
    assert len(problems(dense(3, name="stem"), dense(1, inputs=["stm"]))) == 1


def test_data_that_nobody_reads_is_a_mistake() -> None:
    assert problems(dense(1, inputs=["input.image"]), image=(2,), facts=(3,)) == [
        "model.layers: nothing reads input.facts; name it in a layer's inputs, or take it out of data.inputs"
    ]


def test_with_several_inputs_the_first_layer_must_say_which() -> None:
    assert problems(dense(1), x=(1,), y=(2,)) == [
        "model.layers[0]: the first layer must say by inputs which of several it reads: input.x, input.y"
    ]
    assert problems(dense(1, inputs=["input"]), x=(1,), y=(2,)) == [
        "model.layers[0].inputs[0]: the data has several inputs; read one of them: input.x, input.y"
    ]


def test_what_does_nothing_is_refused() -> None:
    assert problems(dense(1, trainable=False, l1=0.1, max_norm=1.0)) == [
        "model.layers[0].l1: l1 does nothing where trainable is false; leave out one of them",
        "model.layers[0].max_norm: max_norm does nothing where trainable is false; leave out one of them",
    ]


def test_input_is_no_name_for_a_layer() -> None:
    assert problems(dense(1, name="input")) == [
        "model.layers[0].name: input is what the data is called; choose another name"
    ]


def test_a_name_that_a_layer_got_by_its_type_can_be_taken() -> None:
    assert "two layers are called 'dense_1'" in problems(dense(1), dense(1, name="dense_1"))[0]


def test_a_mistake_in_a_repeat_is_told_once_with_its_place() -> None:
    body = [dense(3, name="a"), dense(3, name="b", inputs=["input", "c"]), {"type": "add", "inputs": ["input", "b"]}]
    found = problems({"type": "repeat", "times": 50, "layers": body})
    assert found == [
        "model.layers[0].layers[1].inputs[1]: there is no layer 'c' above this one. Above are: input, a",
        "model.layers[0].layers[0]: nothing reads the layer repeat_1/1/a; name it in another layer's inputs, "
        "or take it out",
    ]


def test_shapes_that_grow_from_one_repetition_to_the_next() -> None:
    body = [dense(3, name="a"), {"type": "add", "inputs": ["input", "a"]}]
    assert problems({"type": "repeat", "times": 50, "layers": body}) == [
        "model.layers[0].layers[1]: repeat_1/1/add_1 reads input (2) and repeat_1/1/a (3): "
        "add needs inputs of one shape, got 2 and 3"
    ]


def test_a_repeat_has_no_weights_of_its_own_and_one_input() -> None:
    repeat = {"type": "repeat", "times": 2, "layers": [dense(2)], "l2": 0.1, "inputs": ["input", "input"]}
    assert problems(repeat) == [
        "model.layers[0]: a repeat takes name and inputs alone; set the others on the layers in it",
        "model.layers[0].inputs: a repeat reads one layer, found 2",
    ]


def test_mistakes_after_one_that_hides_a_shape_are_still_told() -> None:
    found = problems(
        {"type": "reshape", "shape": [5]},
        dense(3),
        {"type": "repeat", "times": 2, "layers": [dense(3, inputs=["nope"])]},
        {"type": "flatten", "l2": 0.1},
    )
    assert [line.partition(":")[0] for line in found] == [
        "model.layers[0]",
        "model.layers[2].layers[0].inputs[0]",
        "model.layers[3].l2",
    ]


def test_long_lists_of_names_are_cut() -> None:
    found = problems(*(dense(1) for _ in range(30)), dense(1, inputs=["nope"]))[0]
    assert found.endswith("Above are: ..., " + ", ".join(f"dense_{number}" for number in range(11, 31)))


@pytest.mark.slow
def test_more_layers_than_anybody_needs_are_refused_soon() -> None:
    began = time.perf_counter()
    inner = {"type": "repeat", "times": 100_000, "layers": [dense(1)]}
    assert problems({"type": "repeat", "times": 100_000, "layers": [inner]}) == [
        "model.layers[0].layers[0].layers: the network has more than 100000 layers"
    ]
    assert time.perf_counter() - began < 20


def test_a_network_without_mistakes_has_none() -> None:
    assert plan(dense(3), dense(1)).output_shape == (1,)


def test_a_block_puts_its_name_before_those_of_its_layers() -> None:
    net = plan({"type": "block", "name": "low", "layers": [dense(3), dense(4)]}, dense(1))
    assert [(row.name, row.inputs) for row in net.rows()] == [
        ("low/dense_1", ("input",)),
        ("low/dense_2", ("low/dense_1",)),
        ("dense_1", ("low/dense_2",)),
    ]


def test_layers_of_a_first_block_say_which_of_several_inputs_they_read() -> None:
    body = [dense(2, inputs=["input.a"]), {"name": "y", **dense(2, inputs=["input.b"])}]
    net = plan({"type": "block", "layers": [*body, {"type": "add", "inputs": ["dense_1", "y"]}]}, a=(1,), b=(1,))
    assert [row.inputs for row in net.rows()] == [("input.a",), ("input.b",), ("block_1/dense_1", "block_1/y")]
    found = problems({"type": "block", "layers": [dense(2)]}, a=(1,), b=(1,))
    assert "model.layers[0].layers[0]: the first layer must say by inputs which of several it reads" in found[0]


def test_a_block_takes_name_and_inputs_alone() -> None:
    assert problems({"type": "block", "layers": [dense(1)], "trainable": False}) == [
        "model.layers[0]: a block takes name and inputs alone; set the others on the layers in it"
    ]
