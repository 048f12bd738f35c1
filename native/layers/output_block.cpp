#include "layers/output_block.h"

namespace st {

OutputBlock::OutputBlock(Layout& layout, const std::string& name, int64_t in, int64_t width, double epsilon,
                         double dropout, uint32_t site)
    : linear_(layout, {name + ".dense"}, in, width),
      norm_(layout, name + ".LayerNorm", width, epsilon),
      dropout_(dropout),
      site_(site) {}

void OutputBlock::forward(const Pass& pass, const at::Tensor& x_TI, const at::Tensor& residual_TD, at::Tensor out_TD) {
  sum_TD_ = pass.training ? pass.take(residual_TD.size(1)) : at::Tensor();
  mean_T_ = pass.take_statistics();
  rstd_T_ = pass.take_statistics();
  mask_ = pass.mask_at(site_, dropout_, residual_TD.size(1));
  linear_residual_norm(pass.input, x_TI, linear_.weight(pass), linear_.bias(pass), mask_, norm_.weights(pass),
                       residual_TD, sum_TD_, out_TD, mean_T_, rstd_T_);
}

at::Tensor OutputBlock::backward(const Pass& pass, Gradients& gradients, const at::Tensor& d_out_TD,
                                 const at::Tensor& x_TI) {
  at::Tensor d_linear_TD = pass.take(d_out_TD.size(1));
  residual_norm_backward(pass.input, mask_, norm_.weights(pass).gamma_D, d_out_TD, sum_TD_, mean_T_, rstd_T_, d_out_TD,
                         d_linear_TD, norm_.gamma_gradient(gradients), norm_.beta_gradient(gradients),
                         linear_.bias_gradient(gradients));
  linear_.backward_weight(pass, gradients, x_TI, d_linear_TD);
  return d_linear_TD;
}

}  // namespace st
