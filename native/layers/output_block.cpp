#include "layers/output_block.h"

namespace st {

OutputBlock::OutputBlock(Layout& layout, const std::string& name, int64_t in, int64_t width, double epsilon,
                         double dropout, uint32_t site)
    : linear_(layout, {name + ".dense"}, in, width),
      norm_(layout, name + ".LayerNorm", width, epsilon),
      dropout_(dropout),
      site_(site) {}

void OutputBlock::forward(const Pass& pass, const at::Tensor& x_TI, const at::Tensor& residual_TD, at::Tensor out_TD,
                          Kept& kept) {
  kept.sum_TD = pass.training ? pass.take(residual_TD.size(1)) : at::Tensor();
  kept.mean_T = pass.take_statistics();
  kept.rstd_T = pass.take_statistics();
  kept.mask = pass.mask_at(site_, dropout_, residual_TD.size(1));
  linear_residual_norm(pass.input, x_TI, linear_.weight(pass), linear_.bias(pass), kept.mask, norm_.weights(pass),
                       residual_TD, kept.sum_TD, out_TD, kept.mean_T, kept.rstd_T);
}

at::Tensor OutputBlock::backward(const Pass& pass, const Kept& kept, Gradients& gradients, const at::Tensor& d_out_TD,
                                 const at::Tensor& x_TI) {
  at::Tensor d_linear_TD = pass.take(d_out_TD.size(1));
  residual_norm_backward(pass.input, kept.mask, norm_.weights(pass).gamma_D, d_out_TD, kept.sum_TD, kept.mean_T,
                         kept.rstd_T, d_out_TD, d_linear_TD, norm_.gamma_gradient(gradients),
                         norm_.beta_gradient(gradients), linear_.bias_gradient(gradients));
  linear_.backward_weight(pass, gradients, x_TI, d_linear_TD);
  return d_linear_TD;
}

}  // namespace st
