#pragma once

#include "ops/activation.h"
#include "ops/linear.h"

namespace st {

// before = x W' + bias; after = f(before), for the activations of feed-forward blocks. `before_TF` may be undefined
// where no backward follows.
void linear_activation(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_F, Activation activation,
                       at::Tensor before_TF, at::Tensor after_TF);

// The gradient of `before` from that of the layer after it, y = after W': d_before = (d_y W) f'(before). Adds its sums
// over the rows to d_bias [F] (master dtype).
void linear_activation_backward(const at::Tensor& d_y_TO, const Weight& weight, Activation activation,
                                const at::Tensor& before_TF, at::Tensor d_before_TF, at::Tensor d_bias_F);

}  // namespace st
