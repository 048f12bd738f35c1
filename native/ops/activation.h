#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "ops/activation_kind.h"

namespace st {

// hidden_act of transformers (gelu, gelu_new, gelu_pytorch_tanh, relu, silu) and the names of Dense modules
// (identity, tanh, sigmoid). Throws ERR_NOT_IMPLEMENTED, naming `option`, for others.
Activation parse_activation(const std::string& name, const std::string& option);

// Differentiable by autograd.
at::Tensor activate(Activation activation, const at::Tensor& x);
// The activations of feed-forward blocks (gelu, gelu_new, relu and silu), written to a given tensor, which may be x
// [T, F]. If `slope` is defined, it receives f'(x) for the backward pass. Then it may be x, and out is another
// tensor.
void activate_out(Activation activation, const at::Tensor& x_TF, at::Tensor out_TF, at::Tensor slope_TF = {});
// d_x = d_out * slope; d_x may be d_out. Adds the sums of d_x over the rows to d_bias [F] (master dtype) if defined.
void activate_backward_out(const at::Tensor& d_out_TF, const at::Tensor& slope_TF, at::Tensor d_x_TF,
                           at::Tensor d_bias_F = {});

namespace reference {
decltype(st::activate_out) activate_out;
decltype(st::activate_backward_out) activate_backward_out;
}  // namespace reference

}  // namespace st
