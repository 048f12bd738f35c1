"""The calls of native/cuda/*.cpp that LibTorch answers on a GPU alone, made without one: FakeTensorMode runs LibTorch's own shape functions
for `device='cuda'`. Each is given the arguments of the C++ (strided views of one matrix, packed rows), and its answer is compared with what
the C++ expects of shapes, dtypes and strides. A call that LibTorch has no longer, or refuses, fails as well.

    python test/python/cuda_shapes.py       prints a line a check, and exits with 1 where one fails

needs a torch that is built with CUDA; no GPU.
"""

import sys
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

aten = torch.ops.aten
LENGTHS = [3, 200, 65, 1]
OFFSETS = [0, 3, 203, 268, 269]
ROWS, TOKENS, LONGEST = len(LENGTHS), sum(LENGTHS), max(LENGTHS)
ALIGN = 32  # kLseAlign of native/cuda/attention.cpp
failed = 0


def check(name: str, found: torch.Tensor, shape: list[int], dtype: torch.dtype, strides: list[int] | None = None) -> None:
    """Strides where the C++ reads memory as it lies."""
    global failed
    good = list(found.shape) == shape and found.dtype == dtype and (strides is None or list(found.stride()) == strides)
    failed += not good
    wanted = f"{shape} {dtype}" + (f" with strides {strides}" if strides else "")
    print(f"{'ok' if good else 'FAILED'}  {name}: {list(found.shape)} {found.dtype}" + ("" if good else f", expected {wanted}"))


def heads_of(matrix: torch.Tensor, first: int, heads: int, size: int) -> torch.Tensor:
    """[tokens, heads, head size] of some columns of one matrix: by_head() of attention.cpp."""
    return matrix[:, first : first + heads * size].unflatten(1, (heads, size))


def projections(dtype: torch.dtype, heads: int, kv_heads: int, size: int, keys: int = TOKENS):
    q_width, kv_width = heads * size, kv_heads * size
    qkv = torch.empty(TOKENS, q_width + 2 * kv_width, dtype=dtype, device="cuda")
    kv = qkv if keys == TOKENS else torch.empty(keys, q_width + 2 * kv_width, dtype=dtype, device="cuda")
    return (
        heads_of(qkv, 0, heads, size),
        heads_of(kv, q_width, kv_heads, size),
        heads_of(kv, q_width + kv_width, kv_heads, size),
    )


def flash(
    name: str, dtype=torch.bfloat16, *, heads=12, kv_heads=12, size=64, dropped=0.1, causal=False, window=None, keys=TOKENS
) -> None:
    q, k, v = projections(dtype, heads, kv_heads, size, keys)
    offsets = torch.tensor(OFFSETS, dtype=torch.int32, device="cuda")
    ahead = 0 if causal else window
    out, lse, rng, _, _ = aten._flash_attention_forward(
        q, k, v, offsets, offsets, LONGEST, LONGEST, dropped, causal, False,
        scale=0.125, window_size_left=window, window_size_right=ahead,
    )  # fmt: skip
    check(f"flash, {name}: out", out, [TOKENS, heads, size], dtype)
    check(f"flash, {name}: log sums", lse, [heads, TOKENS], torch.float32)
    # Copied as two words of 64 bits.
    check(f"flash, {name}: state of the generator", rng.view(torch.int64), [2], torch.int64, [1])
    state = torch.zeros(2, dtype=torch.int64, device="cuda").view(torch.uint64)
    lse = torch.empty(TOKENS, heads, dtype=torch.float32, device="cuda").t().contiguous()
    d_out = torch.empty(TOKENS, heads * size, dtype=dtype, device="cuda").unflatten(1, (heads, size))
    unused = torch.empty(0, dtype=torch.uint8, device="cuda")
    gradients = aten._flash_attention_backward(
        d_out, q, k, v, out, lse, offsets, offsets, LONGEST, LONGEST, dropped, causal, state, unused,
        scale=0.125, window_size_left=window, window_size_right=ahead,
    )  # fmt: skip
    for letter, d, x in zip("qkv", gradients, (q, k, v)):
        check(f"flash, {name}: d_{letter}", d, list(x.shape), dtype)


def efficient(name: str, dtype: torch.dtype, *, heads=12, size=32, dropped=0.1, causal=False, keys=TOKENS, trains=True) -> None:
    q, k, v = (x.unsqueeze(0) for x in projections(dtype, heads, heads, size, keys))
    offsets = torch.tensor(OFFSETS, dtype=torch.int32, device="cuda")
    mask_type = 2 if causal else 0
    out, lse, seed, offset, _, _ = aten._efficient_attention_forward(
        q, k, v, None, offsets, offsets, LONGEST, LONGEST, dropped, mask_type, trains, scale=0.125
    )
    check(f"efficient, {name}: out", out, [1, TOKENS, heads, size], dtype)
    padded = (LONGEST + ALIGN - 1) // ALIGN * ALIGN
    if not trains:
        return
    # transpose, reshape and index_select of packed_lse_TH take any strides, padded_lse_RHL makes whole ones.
    check(f"efficient, {name}: log sums", lse, [ROWS, heads, padded], torch.float32)
    for word, found in (("seed", seed), ("offset", offset)):
        check(f"efficient, {name}: {word}", found, [], torch.int64)
    d_out = torch.empty(TOKENS, heads * size, dtype=dtype, device="cuda").unflatten(1, (heads, size)).unsqueeze(0)
    lse = torch.empty(ROWS, padded, heads, dtype=torch.float32, device="cuda").transpose(1, 2).contiguous()
    # Without `scale`: LibTorch 2.13's shape function has forgotten the parameter `out`, and would take the last one for it.
    gradients = aten._efficient_attention_backward(
        d_out, q, k, v, None, out, offsets, offsets, LONGEST, LONGEST, lse, dropped, seed, offset, mask_type, False,
        shared_storage_dqdkdv=keys == TOKENS,
    )  # fmt: skip
    for letter, d, x in zip("qkv", gradients, (q, k, v)):
        check(f"efficient, {name}: d_{letter}", d, list(x.shape), dtype)


def products() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        d_y, x = (torch.empty(TOKENS, width, dtype=dtype, device="cuda") for width in (1536, 384))
        d_weight = torch.empty(1536, 384, dtype=torch.float32, device="cuda")
        if dtype == torch.float32:
            found = aten.addmm.out(d_weight, d_y.t(), x, out=d_weight)
        else:
            found = aten.addmm.dtype_out(d_weight, d_y.t(), x, torch.float32, out=d_weight)
        check(f"addmm of {dtype} added to float32", found, [1536, 384], torch.float32, [384, 1])


def adamw() -> None:
    """LibTorch has a shape function for a rate from the host alone; that of the device takes the same arguments."""
    global failed
    one = lambda: torch.empty((), dtype=torch.float32, device="cuda")  # noqa: E731
    value, grad, mean, square = (torch.empty(1000, dtype=torch.float32, device="cuda") for _ in range(4))
    aten._fused_adamw_.default(
        [value], [grad], [mean], [square], [], [one()],
        lr=1e-3, beta1=0.9, beta2=0.999, weight_decay=0.01, eps=1e-8, amsgrad=False, maximize=False,
        grad_scale=one(), found_inf=one(),
    )  # fmt: skip
    check("fused AdamW, with divisor and skip on the device", value, [1000], torch.float32)
    names = [[argument.name for argument in op._schema.arguments] for op in (aten._fused_adamw_.default, aten._fused_adamw_.tensor_lr)]
    rate = aten._fused_adamw_.tensor_lr._schema.arguments[names[1].index("lr")].type
    good = names[0] == names[1] and str(rate) == "Tensor"
    failed += not good
    print(f"{'ok' if good else 'FAILED'}  fused AdamW, the rate on the device: {', '.join(names[1])}")


def loss_scaler() -> None:
    """There is no shape function for it: it changes what it is given. That of devices is there, with these arguments."""
    global failed
    op = torch.ops.aten._amp_update_scale_.default
    names = [argument.name for argument in op._schema.arguments]
    expected = ["self", "growth_tracker", "found_inf", "scale_growth_factor", "scale_backoff_factor", "growth_interval"]
    good = names == expected and torch._C._dispatch_has_kernel_for_dispatch_key("aten::_amp_update_scale_", "CUDA")
    failed += not good
    print(f"{'ok' if good else 'FAILED'}  scale of losses: {', '.join(names)}, for CUDA")


def ranks() -> None:
    """What engine/gradient_sums.cpp does with gradients before and after NCCL, and what core/nccl_collective.cpp expects of c10d."""
    global failed
    table = torch.empty(30522, 384, device="cuda")
    rows = torch.empty(700, dtype=torch.int64, device="cuda")
    picked = aten.index_select(table, 0, rows)
    check("rows of the token table", picked, [700, 384], torch.float32, [384, 1])
    check("rows of the token table, returned", table.index_copy_(0, rows, picked), [30522, 384], torch.float32, [384, 1])
    flat, packed = torch.empty(5000, device="cuda"), torch.empty(900, device="cuda")
    pieces, places = list(packed.split([384, 500, 16])), [flat[100:484], flat[1000:1500], flat[4000:4016]]
    torch._foreach_copy_(pieces, places)
    torch._foreach_copy_(places, pieces)
    check("small gradients, packed", packed, [900], torch.float32, [1])
    numbers = torch.stack([torch.empty((), device="cuda").to(torch.float64) for _ in range(3)]) * 0.5
    check("losses of a step", numbers, [3], torch.float64, [1])
    # Its constructor refuses a machine without GPU. The operators in front of its functions have their CUDA kernels.
    for name in ("allreduce_", "_allgather_base_", "broadcast_"):
        good = torch._C._dispatch_has_kernel_for_dispatch_key(f"c10d::{name}", "CUDA")
        failed += not good
        print(f"{'ok' if good else 'FAILED'}  c10d::{name} for CUDA")
    # Variables that switch c10d's watchdog and its record of calls off.
    folder = Path(torch.__file__).parent / "include/torch/csrc/distributed/c10d"
    texts = "".join((folder / name).read_text() for name in ("ProcessGroupNCCL.hpp", "FlightRecorder.hpp", "FlightRecorderDetail.hpp"))
    for name in ("TORCH_NCCL_BLOCKING_WAIT", "TORCH_NCCL_TRACE_BUFFER_SIZE", "TORCH_FR_BUFFER_SIZE"):
        good = name in texts
        failed += not good
        print(f"{'ok' if good else 'FAILED'}  c10d reads {name}")


def main() -> int:
    if torch.version.cuda is None:
        print("ok  left out: this torch is built without CUDA")
        return 0
    with FakeTensorMode(allow_non_fake_inputs=True):
        flash("dropout")
        flash("no dropout", dropped=0.0)
        flash("causal, shared keys", heads=16, kv_heads=8, size=128, dropped=0.0, causal=True)
        flash("causal, one key head", heads=3, kv_heads=1, size=256, dropped=0.0, causal=True, window=511)
        flash("window", window=64, dropped=0.0)
        flash("keys of other rows", keys=2 * TOKENS)
        flash("float16", torch.float16)
        flash("float16, causal", torch.float16, dropped=0.0, causal=True)
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            efficient(f"{dtype}, dropout", dtype)
            efficient(f"{dtype}, causal", dtype, causal=True, dropped=0.0)
            efficient(f"{dtype}, keys of other rows", dtype, keys=2 * TOKENS)
            efficient(f"{dtype}, encoding", dtype, dropped=0.0, trains=False)
        products()
        adamw()
        loss_scaler()
        ranks()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
