#pragma once

#include "ops/activation.h"
#include "ops/dropout.h"
#include "ops/linear.h"

namespace st {

// The use of the halves a and g of a gated layer's product.
struct GateShape {
  Activation activation;
  bool activated_first;  // a is the first half
};

// after = dropout(f(a) g) for the halves of x W' + bias (undefined = 0). kept [T, 2F]: the factors of the gradient of
// `after`; undefined if no backward pass follows. before [T, 2F]: x W' + bias, from which gate_again() computes both
// again; undefined if nobody does.
void linear_gate(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_2F,
                 const GateShape& gate, const Dropout& dropout, at::Tensor kept_T2F, at::Tensor after_TF,
                 at::Tensor before_T2F = {});
// kept may be the memory of before.
void gate_again(const Input& input, const at::Tensor& before_T2F, const GateShape& gate, const Dropout& dropout,
                at::Tensor kept_T2F, at::Tensor after_TF);

// The gradient of x W' + bias from that of the next layer, y = after W'. Adds its sums over the rows to d_bias
// (master dtype), if defined.
void linear_gate_backward(const at::Tensor& d_y_TO, const Weight& weight, const at::Tensor& kept_T2F, at::Tensor d_T2F,
                          at::Tensor d_bias_2F);

namespace reference {
// Works on x W' + bias itself.
void gate(const Input& input, const at::Tensor& before_T2F, const GateShape& gate, const Dropout& dropout,
          at::Tensor kept_T2F, at::Tensor after_TF);
void gate_backward(const at::Tensor& d_after_TF, const at::Tensor& kept_T2F, at::Tensor d_T2F, at::Tensor d_bias_2F);
}  // namespace reference

}  // namespace st
