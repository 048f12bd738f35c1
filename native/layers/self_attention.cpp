#include "layers/self_attention.h"

#include "ops/attention.h"

namespace st {

SelfAttention::Kept SelfAttention::keep(const Pass& pass) const {
  const bool drops = pass.dropout_at(site_, dropout_).active();
  Kept kept;
  kept.qkv_T3D = pass.take(qkv_.width());
  kept.context_TD = pass.take(width());
  if (pass.training) kept.lse_HT = pass.workspace.take({heads_, pass.input.tokens()}, pass.master());
  if (drops) kept.mask = pass.workspace.take({attention_mask_words(pass.input, heads_)}, at::kShort);
  kept.output = output_.keep(pass);
  return kept;
}

void SelfAttention::project(const Pass& pass, const at::Tensor& x_TD, at::Tensor qkv_T3D) const {
  if (!rotary_) return qkv_.forward(pass, x_TD, qkv_T3D);
  linear_rotary(x_TD, qkv_.weight(pass), qkv_.bias(pass), rotary_->shape(), rotary_->angles(pass), qkv_T3D);
}

SelfAttention::Kept SelfAttention::forward(const Pass& pass, const Stream& in, const Stream& out) const {
  Kept kept = keep(pass);
  kept.x_TD = in.x_TD;
  kept.reads_sum = in.is_one();
  project(pass, in.x_TD, kept.qkv_T3D);
  attention(pass.input, pass.dropout_at(site_, dropout_), heads_, kept.qkv_T3D, kept.context_TD, kept.lse_HT,
            kept.mask);
  output_.forward(pass, kept.context_TD, in, out, kept.output);
  return kept;
}

Stream SelfAttention::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const {
  const Scratch scratch(pass.workspace);
  at::Tensor d_context_TD = pass.take(width()), d_qkv_T3D = pass.take(qkv_.width());
  const at::Tensor d_linear_TD = output_.backward(pass, gradients, kept.output, d_out, kept.context_TD);
  linear_backward_input(d_linear_TD, output_.weight(pass), d_context_TD, false);
  attention_backward(pass.input, pass.dropout_at(site_, dropout_), heads_, kept.qkv_T3D, kept.context_TD, kept.lse_HT,
                     kept.mask, d_context_TD, d_qkv_T3D, rotary_ ? at::Tensor() : qkv_.bias_gradient(gradients));
  if (rotary_) {
    linear_rotary_backward(rotary_->shape(), rotary_->angles(pass), d_qkv_T3D, qkv_.bias_gradient(gradients));
  }
  const Stream d_in = kept.reads_sum ? Stream(d_out.sum_TD) : d_out;
  qkv_.backward(pass, gradients, kept.x_TD, d_qkv_T3D, d_in.x_TD, kept.reads_sum);
  return d_in;
}

}  // namespace st
