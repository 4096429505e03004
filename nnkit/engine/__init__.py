"""The one training loop: phases, batches, hooks, checkpoints and history. It knows no loss, optimizer or family."""
