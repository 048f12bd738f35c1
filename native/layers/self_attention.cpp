#include "layers/self_attention.h"

#include <cmath>

namespace st {

AttentionShape self_attention_shape(int64_t heads, int64_t width, int64_t window) {
  const int64_t head_dim = width / heads;
  return {.heads = heads,
          .kv_heads = heads,
          .head_dim = head_dim,
          .scale = 1 / std::sqrt(static_cast<double>(head_dim)),
          .window = window};
}

std::optional<RelativeBias> SelfAttention::bias(const Pass& pass) const {
  if (!bias_) return {};
  return RelativeBias{pass.parameters.master(bias_->table).narrow(0, 0, bias_->buckets), bias_->max_distance,
                      bias_->both_ways};
}

AttentionCall SelfAttention::call(const Pass& pass, const std::optional<RelativeBias>& bias) const {
  const Sequences rows = rows_of(pass.input);
  return {.queries = rows,
          .keys = rows,
          .shape = shape_,
          .dropout = pass.dropout_at(site_, dropout_),
          .bias = bias ? &*bias : nullptr};
}

bool SelfAttention::is_trained(const Gradients& gradients) const {
  return qkv_.is_trained(gradients) || output_.is_trained(gradients) || (bias_ && gradients[bias_->table].defined());
}

SelfAttention::Kept SelfAttention::keep(const Pass& pass) const {
  const AttentionCall of_pass = call(pass, {});
  Kept kept;
  kept.qkv_TX = pass.take(qkv_.width());
  kept.context_TD = pass.take(width());
  if (pass.training) kept.lse_HT = pass.workspace.take({shape_.heads, pass.input.tokens()}, pass.master());
  if (of_pass.dropout.active()) kept.mask = pass.workspace.take({attention_mask_words(of_pass)}, at::kShort);
  kept.output = output_.keep(pass);
  return kept;
}

void SelfAttention::project(const Pass& pass, const at::Tensor& x_TD, at::Tensor qkv_TX) const {
  if (!rotary_) return qkv_.forward(pass, x_TD, qkv_TX);
  const Scratch scratch(pass.workspace);
  linear_rotary(x_TD, qkv_.weight(pass, x_TD), qkv_.bias(pass), rotary_->shape(), rotary_->angles(pass), qkv_TX);
}

SelfAttention::Kept SelfAttention::forward(const Pass& pass, const Stream& in, const Stream& out) const {
  Kept kept = keep(pass);
  kept.x_TD = in.x_TD;
  kept.reads_sum = in.is_one();
  project(pass, in.x_TD, kept.qkv_TX);
  const std::optional<RelativeBias> added = bias(pass);
  attention(call(pass, added), side_by_side(kept.qkv_TX, shape_), kept.context_TD, kept.lse_HT, kept.mask);
  output_.forward(pass, kept.context_TD, in, out, kept.output);
  return kept;
}

Stream SelfAttention::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const {
  const Scratch scratch(pass.workspace);
  at::Tensor d_context_TD = pass.take(width()), d_qkv_TX = pass.take(qkv_.width());
  const OutputBlock::Back back = output_.backward(pass, gradients, kept.output, d_out, kept.context_TD);
  linear_backward_input(back.d_y_TD, back.weight, d_context_TD, false);
  const std::optional<RelativeBias> added = bias(pass);
  const at::Tensor d_bias_X = qkv_.bias_gradient(gradients);
  at::Tensor d_table_BH = bias_ ? gradients[bias_->table] : at::Tensor();
  if (d_table_BH.defined()) d_table_BH = d_table_BH.narrow(0, 0, bias_->buckets);
  // What is turned has its bias in front of that.
  attention_backward(call(pass, added), side_by_side(kept.qkv_TX, shape_), kept.context_TD, kept.lse_HT, kept.mask,
                     d_context_TD,
                     {.values = side_by_side(d_qkv_TX, shape_),
                      .biases = side_by_side(rotary_ ? at::Tensor() : d_bias_X, shape_),
                      .table_BH = d_table_BH});
  if (rotary_) linear_rotary_backward(rotary_->shape(), rotary_->angles(pass), d_qkv_TX, d_bias_X);
  const Stream d_in = kept.reads_sum ? Stream(d_out.sum_TD) : d_out;
  qkv_.backward(pass, gradients, kept.x_TD, d_qkv_TX, d_in.x_TD, kept.reads_sum);
  return d_in;
}

}  // namespace st
