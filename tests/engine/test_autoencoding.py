"""The objectives of autoencoders: their gradients against finite differences, their values against closed forms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from nnkit.engine.autoencoding import Networks, bounds
from nnkit.engine.draws import PlacedDraws
from nnkit.engine.objective import Seen
from nnkit.engine.order import RowDraws
from nnkit.models.autoencoder import AutoencoderPlan
from nnkit.models.base import MODELS
from nnkit.nn.parts import PartedNetwork
from nnkit.procedures.base import PROCEDURES
from nnkit.procedures.reconstruction import Reconstruction

WIDTH = 5
ENCODER: list[Any] = [
    {"type": "dense", "units": 4, "activation": "tanh"},
    {"type": "dense", "units": 3, "activation": "sigmoid"},
]


def built(code: Any = "plain", procedure: Any = None, **model: Any) -> tuple[Any, PartedNetwork, AutoencoderPlan]:
    """Return the objective of a small autoencoder in float64, and the autoencoder."""
    plan = MODELS.decode({"type": "autoencoder", "encoder": ENCODER, "code": code, **model}).plan({"input": (WIDTH,)})
    chosen = PROCEDURES.decode({"type": "reconstruction", **(procedure or {})})
    assert isinstance(plan, AutoencoderPlan)
    assert isinstance(chosen, Reconstruction)
    network = chosen.trained(plan).build()
    network.load_arrays(plan.initial_weights(5))
    network.to(torch.float64)
    return chosen.objective(plan, network), network, plan


def seen(rows: int = 6, epoch: int = 0) -> Seen:
    values = torch.rand(rows, WIDTH, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    draws = PlacedDraws(RowDraws(7, "reconstruction"))
    draws.seek(epoch, 0)
    return Seen({"input": values}, torch.arange(rows), draws, epoch)


def prepared(network: PartedNetwork, given: Seen) -> None:
    network.set_draws(given.draws)


VARIATIONAL = {"type": "variational", "size": 2, "likelihood": "bernoulli", "beta": 1.5}


@pytest.mark.parametrize(
    ("code", "procedure", "model"),
    [
        ("plain", {}, {}),
        ("plain", {"loss": "binary_cross_entropy"}, {"output_activation": "sigmoid"}),
        ("plain", {"loss": "mean_absolute_error"}, {"tied": True}),
        ("plain", {"noise": {"type": "noise", "stddev": 0.3}}, {}),
        ("plain", {"noise": {"type": "input_dropout", "rate": 0.3}}, {}),
        ("plain", {"penalty": {"type": "l1", "weight": 0.1}}, {}),
        ("plain", {"penalty": {"type": "kl", "weight": 0.3, "rho": 0.2}}, {}),
        ("plain", {"penalty": {"type": "contractive", "weight": 0.7}}, {}),
        (VARIATIONAL, {}, {}),
        ({**VARIATIONAL, "likelihood": "gaussian"}, {}, {}),
        (
            {**VARIATIONAL, "likelihood": {"type": "gaussian", "stddev": 0.5}},
            {"penalty": {"type": "l1", "weight": 1}},
            {},
        ),
    ],
)
def test_gradients_are_the_finite_differences(
    code: Any, procedure: Mapping[str, Any], model: Mapping[str, Any]
) -> None:
    objective, network, _ = built(code, procedure, **model)
    given = seen()
    prepared(network, given)
    objective(given)["loss"].mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        with torch.no_grad():
            for place in np.ndindex(*weight.shape) if weight.dim() else [()]:
                values = []
                for step in (1e-6, -1e-6):
                    weight[place] += step
                    values.append(float(objective(given)["loss"].mean()))
                    weight[place] -= step
                assert float(weight.grad[place]) == pytest.approx((values[0] - values[1]) / 2e-6, abs=2e-7, rel=1e-4), (
                    name
                )


def test_the_parts_of_a_loss_are_told() -> None:
    objective, network, _ = built("plain", {"penalty": {"type": "l1", "weight": 0.1}})
    rows: Any = seen().inputs["input"]
    values, networks = objective(seen()), Networks(network)
    codes = networks.hidden(rows)
    torch.testing.assert_close(values["penalty"], codes.sum(1))
    wanted = (networks.decoded(codes) - rows).square().mean(1)
    torch.testing.assert_close(values["reconstruction"], wanted)
    torch.testing.assert_close(values["loss"], wanted + 0.1 * codes.sum(1))


def test_noise_is_for_the_encoder_in_training_alone() -> None:
    objective, _, _ = built("plain", {"noise": {"type": "input_dropout", "rate": 0.5}})
    clean, _, _ = built("plain")
    first, again = objective(seen())["loss"], objective(seen())["loss"]
    assert torch.equal(first, again)
    assert not torch.allclose(first, clean(seen())["loss"])
    objective.networks._network.eval()
    assert torch.equal(objective(seen())["loss"], clean(seen())["loss"])


def test_the_contractive_penalty_is_there_for_validation_rows_too() -> None:
    objective, _, _ = built("plain", {"penalty": {"type": "contractive", "weight": 0.7}})
    trained = objective(seen())
    objective.networks._network.eval()
    with torch.inference_mode():
        judged = objective(seen())
    torch.testing.assert_close(judged["penalty"], trained["penalty"])
    torch.testing.assert_close(judged["loss"], trained["loss"])


def test_the_factor_on_the_divergence_grows_and_is_whole_for_validation_rows() -> None:
    objective, network, _ = built({**VARIATIONAL, "warm_up": 4})
    for epoch, factor in ((0, 0.0), (1, 0.375), (4, 1.5), (9, 1.5)):
        values = objective(seen(epoch=epoch))
        torch.testing.assert_close(values["loss"], values["reconstruction"] + factor * values["kl"])
        torch.testing.assert_close(values["bound"], -values["reconstruction"] - values["kl"])
    network.eval()
    values = objective(seen())
    torch.testing.assert_close(values["loss"], values["reconstruction"] + 1.5 * values["kl"])


@pytest.mark.parametrize("update", ["moving_mean", "gradient"])
def test_a_quantised_loss_has_its_parts(update: str) -> None:
    code = {"type": "vector_quantised", "codes": 4, "commitment": 0.5, "update": update}
    objective, network, _ = built(code)
    given = seen()
    prepared(network, given)
    network.eval()
    values, networks = objective(given), Networks(network)
    rows: Any = given.inputs["input"]
    hidden = networks.hidden(rows)
    vectors = networks.codebook.vectors
    nearest = vectors[torch.cdist(hidden, vectors).argmin(1)]
    far = (hidden - nearest).square().mean(1)
    wanted = (networks.decoded(nearest) - rows).square().mean(1)
    torch.testing.assert_close(values["reconstruction"], wanted)
    torch.testing.assert_close(values["commitment"], far)
    torch.testing.assert_close(values["loss"], wanted + (0.5 if update == "moving_mean" else 1.5) * far)
    torch.testing.assert_close(networks.code(rows), torch.cdist(hidden, vectors).argmin(1))


def test_bounds_of_a_linear_model_approach_its_exact_likelihood() -> None:
    """Of x = W z + noise with a normal z, the likelihood is that of a normal distribution."""
    code = {"type": "variational", "size": 2, "likelihood": {"type": "gaussian", "stddev": 0.7}}
    model = MODELS.decode(
        {"type": "autoencoder", "encoder": [{"type": "activation", "activation": "linear"}], "code": code,
         "decoder": [{"type": "dense", "units": WIDTH}]}
    )  # fmt: skip
    plan: Any = model.plan({"input": (WIDTH,)})
    network = plan.build()
    weights = plan.initial_weights(2)
    kernel = weights["decoder/dense_1.kernel"].astype(np.float64)
    noise = np.linalg.inv(np.eye(2) + kernel @ kernel.T / 0.49)
    # The exact distribution of codes but for their correlation, which this kind of encoder cannot say.
    weights["code/moments.kernel"][:, :2] = (noise @ kernel / 0.49).T
    weights["code/moments.kernel"][:, 2:] = 0
    weights["code/moments.bias"][2:] = np.log(np.diag(noise))
    network.load_arrays(weights)
    network.to(torch.float64)
    rows = np.random.default_rng(0).normal(size=(4, WIDTH))
    exact = multivariate_normal(cov=kernel.T @ kernel + 0.49 * np.eye(WIDTH)).logpdf(rows)
    draws: Tensor = torch.randn(4000, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    bound, estimate = bounds(Networks(network), torch.from_numpy(rows), plan.code.likelihood.log, draws)
    np.testing.assert_allclose(estimate.detach(), exact, atol=0.03)
    assert (bound.detach().numpy() < exact).all()
    assert (bound.detach().numpy() > exact - 1).all()
