#include "layers/self_attention.h"

#include "ops/attention.h"

namespace st {

SelfAttention::SelfAttention(Layout& layout, const std::string& name, const LayerSizes& sizes, uint32_t first_site)
    : heads_(sizes.heads),
      dropout_(sizes.attention_dropout),
      site_(first_site),
      qkv_(layout, {name + ".self.query", name + ".self.key", name + ".self.value"}, sizes.width, sizes.width),
      output_(layout, name + ".output", sizes.width, sizes.width, sizes.epsilon, sizes.dropout, first_site + 1) {}

void SelfAttention::forward(const Pass& pass, const at::Tensor& x_TD, at::Tensor out_TD) {
  const int64_t width = x_TD.size(1);
  x_TD_ = x_TD;
  qkv_T3D_ = pass.take(3 * width);
  context_TD_ = pass.take(width);
  const Dropout dropout = pass.dropout_at(site_, dropout_);
  lse_HT_ = pass.training ? pass.workspace.take({heads_, pass.input.tokens()}, pass.master()) : at::Tensor();
  mask_ = dropout.active() ? pass.workspace.take({attention_mask_words(pass.input, heads_)}, at::kShort) : at::Tensor();
  qkv_.forward(pass, x_TD, qkv_T3D_);
  attention(pass.input, dropout, heads_, qkv_T3D_, context_TD_, lse_HT_, mask_);
  output_.forward(pass, context_TD_, x_TD, out_TD);
}

at::Tensor SelfAttention::backward(const Pass& pass, Gradients& gradients, at::Tensor d_out_TD) {
  const Scratch scratch(pass.workspace);
  const int64_t width = d_out_TD.size(1);
  at::Tensor d_context_TD = pass.take(width), d_qkv_T3D = pass.take(3 * width);
  const at::Tensor d_linear_TD = output_.backward(pass, gradients, d_out_TD, context_TD_);
  linear_backward_input(d_linear_TD, output_.weight(pass), d_context_TD, false);
  attention_backward(pass.input, pass.dropout_at(site_, dropout_), heads_, qkv_T3D_, context_TD_, lse_HT_, mask_,
                     d_context_TD, d_qkv_T3D, qkv_.bias_gradient(gradients));
  qkv_.backward(pass, gradients, x_TD_, d_qkv_T3D, d_out_TD, true);
  return d_out_TD;
}

}  // namespace st
