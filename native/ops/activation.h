#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace st {

enum class Activation { kIdentity, kGelu, kGeluTanh, kRelu, kTanh, kSigmoid, kSilu };

// hidden_act of transformers (gelu, gelu_new, gelu_pytorch_tanh, relu, silu) and the names of Dense modules (identity,
// tanh, sigmoid). Throws ERR_NOT_IMPLEMENTED that names `option` for another.
Activation parse_activation(const std::string& name, const std::string& option);

// Differentiable by autograd.
at::Tensor activate(Activation activation, const at::Tensor& x);
// Into a given tensor: only gelu, gelu_new and relu, the ones of feed-forward blocks.
void activate_out(Activation activation, const at::Tensor& x, at::Tensor out);
// d_x from d_out and x; d_x may be d_out.
void activate_backward_out(Activation activation, const at::Tensor& d_out, const at::Tensor& x, at::Tensor d_x);

}  // namespace st
