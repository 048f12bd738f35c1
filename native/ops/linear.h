#pragma once

#include <ATen/core/Tensor.h>

namespace st {

// out = x W' (+ bias). All in the compute dtype; bias may be undefined.
void linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O, at::Tensor out_TO);

// d_x := d_y W, or d_x += d_y W when `accumulate`.
void linear_backward_input(const at::Tensor& d_y_TO, const at::Tensor& weight_OI, at::Tensor d_x_TI, bool accumulate);

// d_weight (master dtype) += d_y' x.
void linear_backward_weight(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI);

// d_bias (master dtype) += sum of d_y over tokens.
void bias_backward(const at::Tensor& d_y_TO, at::Tensor d_bias_O);

}  // namespace st
