#include "ops/linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>

namespace st {

void linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O, at::Tensor out_TO) {
  if (bias_O.defined()) {
    at::addmm_out(out_TO, bias_O, x_TI, weight_OI.t());
  } else {
    at::mm_out(out_TO, x_TI, weight_OI.t());
  }
}

void linear_backward_input(const at::Tensor& d_y_TO, const at::Tensor& weight_OI, at::Tensor d_x_TI, bool accumulate) {
  if (accumulate) {
    at::addmm_out(d_x_TI, d_x_TI, d_y_TO, weight_OI);
  } else {
    at::mm_out(d_x_TI, d_y_TO, weight_OI);
  }
}

void linear_backward_weight(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI) {
  if (d_weight_OI.scalar_type() == x_TI.scalar_type()) {
    at::addmm_out(d_weight_OI, d_weight_OI, d_y_TO.t(), x_TI);
  } else {
    d_weight_OI.add_(at::mm(d_y_TO.t(), x_TI));
  }
}

void bias_backward(const at::Tensor& d_y_TO, at::Tensor d_bias_O) {
  d_bias_O.add_(d_y_TO.sum(at::IntArrayRef{0}, false, d_bias_O.scalar_type()));
}

}  // namespace st
