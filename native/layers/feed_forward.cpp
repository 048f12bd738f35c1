#include "layers/feed_forward.h"

namespace st {

FeedForward::FeedForward(Layout& layout, const std::string& name, const LayerSizes& sizes, Activation activation,
                         uint32_t first_site)
    : inner_(sizes.inner),
      activation_(activation),
      intermediate_(layout, {name + ".intermediate.dense"}, sizes.width, sizes.inner),
      output_(layout, name + ".output", sizes.inner, sizes.width, sizes.epsilon, sizes.dropout, first_site) {}

at::Tensor FeedForward::forward(const Pass& pass, const at::Tensor& x_TD) {
  x_TD_ = x_TD;
  before_TF_ = pass.take(inner_);
  after_TF_ = pass.training ? pass.take(inner_) : before_TF_;
  intermediate_.forward(pass, x_TD, before_TF_);
  activate_out(activation_, before_TF_, after_TF_);
  return output_.forward(pass, after_TF_, x_TD);
}

at::Tensor FeedForward::backward(const Pass& pass, Gradients& gradients, const at::Tensor& d_out_TD) {
  const Scratch scratch(pass.workspace);
  at::Tensor d_TF = pass.take(inner_);
  at::Tensor d_x_TD = output_.backward(pass, gradients, d_out_TD, after_TF_, d_TF);
  activate_backward_out(activation_, d_TF, before_TF_, d_TF);
  intermediate_.backward_bias(gradients, d_TF);
  intermediate_.backward(pass, gradients, x_TD_, d_TF, d_x_TD, true);
  return d_x_TD;
}

}  // namespace st
