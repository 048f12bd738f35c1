#include "layers/feed_forward.h"

#include "ops/linear_activation.h"

namespace st {

FeedForward::FeedForward(Layout& layout, const std::string& name, const LayerSizes& sizes, Activation activation,
                         uint32_t first_site)
    : inner_(sizes.inner),
      activation_(activation),
      intermediate_(layout, {name + ".intermediate.dense"}, sizes.width, sizes.inner),
      output_(layout, name + ".output", sizes.inner, sizes.width, sizes.epsilon, sizes.dropout, first_site) {}

void FeedForward::forward(const Pass& pass, const at::Tensor& x_TD, at::Tensor out_TD) {
  x_TD_ = x_TD;
  slope_TF_ = pass.training ? pass.take(inner_) : at::Tensor();
  after_TF_ = pass.take(inner_);
  linear_activation(x_TD, intermediate_.weight(pass), intermediate_.bias(pass), activation_, slope_TF_, after_TF_);
  output_.forward(pass, after_TF_, x_TD, out_TD);
}

at::Tensor FeedForward::backward(const Pass& pass, Gradients& gradients, at::Tensor d_out_TD) {
  const Scratch scratch(pass.workspace);
  at::Tensor d_TF = pass.take(inner_);
  const at::Tensor d_linear_TD = output_.backward(pass, gradients, d_out_TD, after_TF_);
  linear_activation_backward(d_linear_TD, output_.weight(pass), slope_TF_, d_TF,
                             intermediate_.bias_gradient(gradients));
  intermediate_.backward(pass, gradients, x_TD_, d_TF, d_out_TD, true);
  return d_out_TD;
}

}  // namespace st
