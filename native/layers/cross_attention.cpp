#include "layers/cross_attention.h"

namespace st {

namespace {

// The input whose rows are attended to.
const Input& keys_of(const Pass& pass) {
  return pass.memory != nullptr ? pass.memory->input : pass.input;
}

}  // namespace

AttentionCall CrossAttention::call(const Pass& pass) const {
  return {.queries = rows_of(pass.input),
          .keys = rows_of(keys_of(pass)),
          .shape = shape_,
          .dropout = pass.dropout_at(site_, dropout_)};
}

Projections CrossAttention::projections(const at::Tensor& q_TX, const at::Tensor& kv_S2Y) const {
  if (!kv_S2Y.defined()) return {q_TX, {}, {}};
  const int64_t width = shape_.kv_heads * shape_.head_dim;
  return {q_TX, kv_S2Y.narrow(-1, 0, width), kv_S2Y.narrow(-1, width, width)};
}

CrossAttention::Kept CrossAttention::keep(const Pass& pass) const {
  const AttentionCall of_pass = call(pass);
  Kept kept;
  const Pass over_keys = pass.over(keys_of(pass));
  kept.q_TX = pass.take(query_.width());
  kept.kv_S2Y = over_keys.take(keys_values_.width());
  kept.query_TR = query_.keep(pass);
  kept.keys_values_SR = keys_values_.keep(over_keys);
  kept.context_TX = pass.take(query_.width());
  if (pass.training) kept.lse_HT = pass.workspace.take({shape_.heads, pass.input.tokens()}, pass.master());
  if (of_pass.dropout.active()) kept.mask = pass.workspace.take({attention_mask_words(of_pass)}, at::kShort);
  kept.output = output_.keep(pass);
  return kept;
}

CrossAttention::Kept CrossAttention::forward(const Pass& pass, const Stream& in, const Stream& out) const {
  Kept kept = keep(pass);
  kept.x_TD = in.x_TD;
  kept.reads_sum = in.is_one();
  query_.forward(pass, in.x_TD, kept.query_TR, kept.q_TX);
  const Memory& memory = *pass.memory;
  keys_values_.forward(pass.over(memory.input), memory.x_SD, kept.keys_values_SR, kept.kv_S2Y);
  attention(call(pass), projections(kept.q_TX, kept.kv_S2Y), kept.context_TX, kept.lse_HT, kept.mask);
  output_.forward(pass, kept.context_TX, in, out, kept.output);
  return kept;
}

Stream CrossAttention::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const {
  const Scratch scratch(pass.workspace);
  const Memory& memory = *pass.memory;
  const Pass over_memory = pass.over(memory.input);
  at::Tensor d_context_TX = pass.take(query_.width()), d_q_TX = pass.take(query_.width()),
             d_kv_S2Y = over_memory.take(keys_values_.width());
  const OutputBlock::Back back = output_.backward(pass, gradients, kept.output, d_out, kept.context_TX);
  linear_backward_input(back.d_y_TD, back.weight, d_context_TX, false);
  attention_backward(call(pass), projections(kept.q_TX, kept.kv_S2Y), kept.context_TX, kept.lse_HT, kept.mask,
                     d_context_TX,
                     {.values = projections(d_q_TX, d_kv_S2Y),
                      .biases = projections(query_.bias_gradient(gradients), keys_values_.bias_gradient(gradients))});
  if (memory.d_x_SD.defined()) {
    keys_values_.backward(over_memory, gradients, memory.x_SD, kept.keys_values_SR, d_kv_S2Y, memory.d_x_SD, true);
  } else {
    keys_values_.backward_weight(over_memory, gradients, memory.x_SD, kept.keys_values_SR, d_kv_S2Y);
  }
  const Stream d_in = kept.reads_sum ? Stream(d_out.sum_TD) : d_out;
  query_.backward(pass, gradients, kept.x_TD, kept.query_TR, d_q_TX, d_in.x_TD, kept.reads_sum);
  return d_in;
}

}  // namespace st
