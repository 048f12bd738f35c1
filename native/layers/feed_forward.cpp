#include "layers/feed_forward.h"

#include "ops/linear_activation.h"

namespace st {

FeedForward::FeedForward(Layout& layout, const std::string& name, const LayerSizes& sizes, Activation activation,
                         uint32_t first_site)
    : inner_(sizes.inner),
      activation_(activation),
      intermediate_(layout, {name + ".intermediate.dense"}, sizes.width, sizes.inner),
      output_(layout, name + ".output", sizes.inner, sizes.width, sizes.epsilon, sizes.dropout, first_site) {}

void FeedForward::forward(const Pass& pass, const at::Tensor& x_TD, at::Tensor out_TD, Kept& kept) {
  kept.x_TD = x_TD;
  kept.slope_TF = pass.training ? pass.take(inner_) : at::Tensor();
  kept.after_TF = pass.take(inner_);
  linear_activation(x_TD, intermediate_.weight(pass), intermediate_.bias(pass), activation_, kept.slope_TF,
                    kept.after_TF);
  output_.forward(pass, kept.after_TF, x_TD, out_TD, kept.output);
}

at::Tensor FeedForward::backward(const Pass& pass, const Kept& kept, Gradients& gradients, at::Tensor d_out_TD) {
  const Scratch scratch(pass.workspace);
  at::Tensor d_TF = pass.take(inner_);
  const at::Tensor d_linear_TD = output_.backward(pass, kept.output, gradients, d_out_TD, kept.after_TF);
  linear_activation_backward(d_linear_TD, output_.weight(pass), kept.slope_TF, d_TF,
                             intermediate_.bias_gradient(gradients));
  intermediate_.backward(pass, gradients, kept.x_TD, d_TF, d_out_TD, true);
  return d_out_TD;
}

}  // namespace st
