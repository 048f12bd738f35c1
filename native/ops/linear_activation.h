#pragma once

#include "ops/activation.h"
#include "ops/dropout.h"
#include "ops/linear.h"

namespace st {

// after = dropout(f(x W' + bias)), for the activations of feed-forward blocks. slope: its derivative, dropout(f'(x W' +
// bias)); undefined if no backward pass follows. before: x W' + bias, from which activate_out() computes both again;
// undefined if nobody does.
void linear_activation(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_F,
                       Activation activation, const Dropout& dropout, at::Tensor slope_TF, at::Tensor after_TF,
                       at::Tensor before_TF = {});

// The gradient of the activation's input from that of the next layer, y = after W': d_before = (d_y W) slope. Adds
// its sums over the rows to d_bias [F] (master dtype).
void linear_activation_backward(const at::Tensor& d_y_TO, const Weight& weight, const at::Tensor& slope_TF,
                                at::Tensor d_before_TF, at::Tensor d_bias_F);

}  // namespace st
