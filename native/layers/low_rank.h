#pragma once

#include "layers/pass.h"
#include "ops/linear.h"

namespace st {

// The passes of what an adapter adds to a linear layer: scale B A drop(x), on rows of its output. Each part has its own
// dropout, as in PEFT. Results lie in the pass's workspace; they are addends of products (Weight::added).

Addend low_rank_forward(const Pass& pass, const LowRank& low, const at::Tensor& x_TI);
// Adds to the gradients of A and B. Returns what is added to d_x [T, I].
Addend low_rank_backward(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                         const at::Tensor& d_y_TO);
// W + scale B A in the master dtype.
at::Tensor with_low_rank(const Parameters& parameters, ParamId weight, const LowRank& low);

}  // namespace st
