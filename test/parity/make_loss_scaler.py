"""Golden values of training with a loss scaler, for test/parity/loss-scaler.test.ts: torch.amp.GradScaler with accelerate's optimiser and
schedule, as transformers' Trainer uses them with `fp16=True`.

    .venv/bin/python test/parity/make_loss_scaler.py

One parameter of five numbers. Its gradients are given, so that no model takes part: those of the loss sum(w * g), of which some are made
infinite or NaN. The scaler goes on from a state in which it is about to grow, and does so once more later.
"""

import json
import math
from pathlib import Path

import torch
import transformers
from accelerate import Accelerator, __version__ as accelerate_version
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.scheduler import AcceleratedScheduler

OUT = Path(__file__).resolve().parent / "golden" / "loss-scaler.json"
STEPS, WARM_UP, RATE, DECAY, MAX_NORM, WIDTH = 40, 4, 1e-2, 0.01, 0.5, 5
SPOILT = {2: math.inf, 3: math.nan, 11: -math.inf, 12: math.inf, 13: math.nan, 30: math.inf}
STATE = {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000, "_growth_tracker": 1999}
# After this step the tracker is set forward, instead of 2,000 further steps.
FORWARD = {20: 1996}


def gradient(step: int) -> torch.Tensor:
    """The test computes it too."""
    g = torch.tensor([0.4 * math.sin(0.7 * step + 1.3 * i) for i in range(WIDTH)], dtype=torch.float32)
    if step in SPOILT:
        g[3] = SPOILT[step]
    return g


def main() -> None:
    Accelerator(cpu=True)  # its state, which optimiser and schedule read
    w = torch.nn.Parameter(torch.tensor([0.5, -0.25, 1.0, -1.5, 0.125]))
    scaler = torch.amp.GradScaler("cpu")
    defaults = scaler.state_dict()
    scaler.load_state_dict(STATE)
    adamw = torch.optim.AdamW([w], lr=RATE, weight_decay=DECAY)
    optimizer = AcceleratedOptimizer(adamw, device_placement=False, scaler=scaler)
    linear = transformers.get_linear_schedule_with_warmup(adamw, WARM_UP, STEPS)
    scheduler = AcceleratedScheduler(linear, [optimizer])
    steps = []
    for step in range(1, STEPS + 1):
        scaler.scale((w * gradient(step)).sum()).backward()
        scaler.unscale_(adamw)
        norm = torch.nn.utils.clip_grad_norm_([w], MAX_NORM).item()
        rate = linear.get_last_lr()[0]
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        if step in FORWARD:
            scaler.load_state_dict({**scaler.state_dict(), "_growth_tracker": FORWARD[step]})
        state = scaler.state_dict()
        steps.append(
            {
                "rate": rate,
                "norm": norm if math.isfinite(norm) else None,
                "skipped": optimizer.step_was_skipped,
                "scale": state["scale"],
                "tracker": state["_growth_tracker"],
                "w": w.detach().tolist(),
            }
        )
    golden = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "accelerate": accelerate_version},
        "defaults": defaults,
        "first": [0.5, -0.25, 1.0, -1.5, 0.125],
        "spoilt": {str(step): str(value) for step, value in SPOILT.items()},
        "forward": {str(step): tracker for step, tracker in FORWARD.items()},
        "state": STATE,
        "settings": {"steps": STEPS, "warmupSteps": WARM_UP, "rate": RATE, "weightDecay": DECAY, "maxNorm": MAX_NORM},
        "steps": steps,
    }
    OUT.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
