#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "ops/activation_kind.h"

namespace st {

// hidden_act of transformers (gelu, gelu_new, gelu_pytorch_tanh, relu, silu) and the names of Dense modules (identity,
// tanh, sigmoid). Throws ERR_NOT_IMPLEMENTED that names `option` for another.
Activation parse_activation(const std::string& name, const std::string& option);

// Differentiable by autograd.
at::Tensor activate(Activation activation, const at::Tensor& x);
// Into a given tensor, which may be x: only gelu, gelu_new, relu and silu, the ones of feed-forward blocks. x [T, F].
void activate_out(Activation activation, const at::Tensor& x_TF, at::Tensor out_TF);
// d_x from d_out and x; d_x may be d_out. Adds the sums of d_x over the rows to d_bias [F] (master dtype) if defined.
void activate_backward_out(Activation activation, const at::Tensor& d_out_TF, const at::Tensor& x_TF, at::Tensor d_x_TF,
                           at::Tensor d_bias_F = {});

namespace reference {
decltype(st::activate_out) activate_out;
decltype(st::activate_backward_out) activate_backward_out;
}  // namespace reference

}  // namespace st
