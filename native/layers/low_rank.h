#pragma once

#include "layers/pass.h"
#include "ops/linear.h"

namespace st {

// The passes of what an adapter adds to a linear layer: scale B A drop(x), on rows of its output. Each part has its own
// dropout, as in PEFT. Results lie in the pass's workspace; they are addends of products (Weight::added).

// Memory in which low_rank_forward() leaves scale A drop(x) for the way back. Undefined where A and B rest.
at::Tensor keep_low_rank(const Pass& pass, const LowRank& low);
// `inner_TR` is from keep_low_rank(), or undefined.
Addend low_rank_forward(const Pass& pass, const LowRank& low, const at::Tensor& x_TI, const at::Tensor& inner_TR);
// Whether the product that makes d_x may come before the gradients of A and B: then it also makes what they need, from
// rows of d_y that are in the cache. The three steps:
bool is_made_in_products(const Pass& pass, const LowRank& low);
Addend low_rank_input(const Pass& pass, const LowRank& low);  // is added to d_x
void add_low_rank_gradients(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                            const at::Tensor& inner_TR, const at::Tensor& d_inner_TR, const at::Tensor& d_y_TO);
// In one, before that product. Adds to the gradients of A and B. Returns what is added to d_x [T, I]. Where products
// make what the gradients need, x may be undefined: its rows then come to add_low_rank_gradient_of_a().
Addend low_rank_backward(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                         const at::Tensor& inner_TR, const at::Tensor& d_y_TO);
void add_low_rank_gradient_of_a(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                                const at::Tensor& d_inner_TR);
// W + scale B A in the master dtype.
at::Tensor with_low_rank(const Parameters& parameters, ParamId weight, const LowRank& low);

}  // namespace st
