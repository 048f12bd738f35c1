#include "layers/output_block.h"

#include "onnx/ops.h"

namespace st {

Stream OutputBlock::take_stream(const Pass& pass) const {
  const at::Tensor x_TD = pass.take(linear_.width());
  return place_ == NormPlace::kPost ? Stream(x_TD) : Stream(pass.take(linear_.width()), x_TD);
}

OutputBlock::Kept OutputBlock::keep(const Pass& pass) const {
  const bool own_sum = pass.training && place_ == NormPlace::kPost;
  BranchKept branch;
  if (branch_norm_ && pass.training)
    branch = {pass.take(linear_.width()), pass.take_statistics(), pass.take_statistics()};
  return {.sum_TD = own_sum ? pass.take(linear_.width()) : at::Tensor(),
          .mean_T = pass.take_statistics(),
          .rstd_T = pass.take_statistics(),
          .mask = pass.mask_at(site_, dropout_, linear_.width()),
          .branch = branch,
          .inner_TR = linear_.keep(pass)};
}

void OutputBlock::forward(const Pass& pass, const at::Tensor& x_TI, const Stream& residual, const Stream& out,
                          Kept& kept) const {
  if (place_ == NormPlace::kPre) kept.sum_TD = out.sum_TD;
  const Scratch scratch(pass.workspace);
  const Weight weight = linear_.weight(pass, x_TI, kept.inner_TR);
  if (branch_norm_) {
    return linear_branch_norm(pass.input, x_TI, weight, linear_.bias(pass), branch_norm_->weights(pass), kept.branch,
                              kept.mask, norm_.weights(pass), residual.sum_TD, kept.sum_TD, out.x_TD, kept.mean_T,
                              kept.rstd_T);
  }
  linear_residual_norm(pass.input, x_TI, weight, linear_.bias(pass), kept.mask, norm_.weights(pass), residual.sum_TD,
                       kept.sum_TD, out.x_TD, kept.mean_T, kept.rstd_T);
}

GraphStream OutputBlock::add_to(onnx::Graph& graph, const onnx::Value& x, const GraphStream& residual) const {
  onnx::Value branch = linear_.add_to(graph, x);
  if (branch_norm_) branch = branch_norm_->add_to(graph, branch);
  const onnx::Value sum = onnx::add(graph, branch, residual.sum);
  const onnx::Value out = norm_.add_to(graph, sum);
  return {place_ == NormPlace::kPost ? out : sum, out};
}

OutputBlock::Back OutputBlock::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out,
                                        const at::Tensor& x_TI) const {
  at::Tensor d_linear_TD = pass.take(linear_.width());
  const at::Tensor d_sum_TD = place_ == NormPlace::kPre ? d_out.sum_TD : at::Tensor();
  residual_norm_backward(pass.input, kept.mask, norm_.weights(pass), d_out.x_TD, d_sum_TD, kept.sum_TD, kept.mean_T,
                         kept.rstd_T, d_out.sum_TD, d_linear_TD, norm_.gamma_gradient(gradients),
                         norm_.beta_gradient(gradients),
                         branch_norm_ ? at::Tensor() : linear_.bias_gradient(gradients));
  if (branch_norm_) {
    const Scratch scratch(pass.workspace);
    const at::Tensor same_TD = pass.take(linear_.width());
    residual_norm_backward(pass.input, {}, branch_norm_->weights(pass), d_linear_TD, {}, kept.branch.branch_TD,
                           kept.branch.mean_T, kept.branch.rstd_T, d_linear_TD, same_TD,
                           branch_norm_->gamma_gradient(gradients), branch_norm_->beta_gradient(gradients),
                           linear_.bias_gradient(gradients));
  }
  return {d_linear_TD, linear_.backward_weight(pass, gradients, x_TI, kept.inner_TR, d_linear_TD)};
}

}  // namespace st
