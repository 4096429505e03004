"""Churn in Lightning, without its logger, checkpoints and progress bar."""

import logging
import time
import warnings

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.peers import torch_net
from benchmarks.peers.churn_table import load
from benchmarks.peers.job import Job, read_job, report


class Churn(lightning.LightningModule):
    """The churn net, its loss and its optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(*torch_net.layers(), nn.Sigmoid())

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Return the loss of a batch."""
        rows, answers = batch
        return functional.binary_cross_entropy(self.net(rows), answers)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def trainer(job: Job) -> lightning.Trainer:
    """Return a trainer that does nothing but train."""
    return lightning.Trainer(
        max_epochs=job.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def main() -> None:
    """Fit and predict."""
    job = read_job()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    lightning.seed_everything(job.seed, verbose=False)
    split = load(job.data)
    rows = TensorDataset(torch.from_numpy(split.train_x), torch.from_numpy(split.train_y).unsqueeze(1))
    model, fitter = Churn(), trainer(job)
    start = time.perf_counter()
    fitter.fit(model, DataLoader(rows, batch_size=job.batch, shuffle=True))
    seconds = time.perf_counter() - start
    report(job, fitter.global_step, seconds, torch_net.probabilities(model.net.eval(), split.test_x))


main()
