#include "layers/self_attention.h"

#include <cmath>

#include "ops/attention.h"

namespace st {

namespace {

AttentionCall call_of(const Input& input, int64_t heads, int64_t width, const Dropout& dropout) {
  const Sequences rows = rows_of(input);
  const int64_t head_dim = width / heads;
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  return {.queries = rows,
          .keys = rows,
          .shape = {.heads = heads, .kv_heads = heads, .head_dim = head_dim, .scale = scale},
          .dropout = dropout};
}

}  // namespace

SelfAttention::SelfAttention(Layout& layout, const std::string& name, const LayerSizes& sizes, uint32_t first_site)
    : heads_(sizes.heads),
      dropout_(sizes.attention_dropout),
      site_(first_site),
      qkv_(layout, {name + ".self.query", name + ".self.key", name + ".self.value"}, sizes.width, sizes.width),
      output_(layout, name + ".output", sizes.width, sizes.width, sizes.epsilon, sizes.dropout, first_site + 1) {}

void SelfAttention::forward(const Pass& pass, const at::Tensor& x_TD, at::Tensor out_TD, Kept& kept) {
  const int64_t width = x_TD.size(1);
  kept.x_TD = x_TD;
  kept.qkv_T3D = pass.take(3 * width);
  kept.context_TD = pass.take(width);
  const AttentionCall call = call_of(pass.input, heads_, width, pass.dropout_at(site_, dropout_));
  kept.lse_HT = pass.training ? pass.workspace.take({heads_, pass.input.tokens()}, pass.master()) : at::Tensor();
  kept.mask = call.dropout.active() ? pass.workspace.take({attention_mask_words(call)}, at::kShort) : at::Tensor();
  qkv_.forward(pass, x_TD, kept.qkv_T3D);
  attention(call, side_by_side(kept.qkv_T3D, call.shape), kept.context_TD, kept.lse_HT, kept.mask);
  output_.forward(pass, kept.context_TD, x_TD, out_TD, kept.output);
}

at::Tensor SelfAttention::backward(const Pass& pass, const Kept& kept, Gradients& gradients, at::Tensor d_out_TD) {
  const Scratch scratch(pass.workspace);
  const int64_t width = d_out_TD.size(1);
  at::Tensor d_context_TD = pass.take(width), d_qkv_T3D = pass.take(3 * width);
  const at::Tensor d_linear_TD = output_.backward(pass, kept.output, gradients, d_out_TD, kept.context_TD);
  linear_backward_input(d_linear_TD, output_.weight(pass), d_context_TD, false);
  const AttentionCall call = call_of(pass.input, heads_, width, pass.dropout_at(site_, dropout_));
  attention_backward(call, side_by_side(kept.qkv_T3D, call.shape), kept.context_TD, kept.lse_HT, kept.mask,
                     d_context_TD,
                     {.values = side_by_side(d_qkv_T3D, call.shape),
                      .biases = side_by_side(qkv_.bias_gradient(gradients), call.shape)});
  qkv_.backward(pass, gradients, kept.x_TD, d_qkv_T3D, d_out_TD, true);
  return d_out_TD;
}

}  // namespace st
