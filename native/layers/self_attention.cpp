#include "layers/self_attention.h"

#include <cmath>

#include "core/error.h"
#include "core/yield.h"
#include "onnx/ops.h"

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

namespace {

// Rows with tokens that nobody attends to: the others are the keys. A query then stands at its own place, not among the
// last keys, so that nothing may depend on its distance from a key.
void hide_tokens(const Pass& pass, AttentionCall& call) {
  const int64_t window = call.shape.window;
  if (window >= pass.input.longest()) call.shape.window = -1;
  check(call.shape.window < 0 && !call.shape.causal && call.bias == nullptr, "ERR_NOT_IMPLEMENTED",
        "Query expansion with attend: false is not built for models that attend by distance",
        window < 0 ? "" : ", unless the window is longer than the query");
  check(pass.input.ids_T.is_cpu(), "ERR_NOT_IMPLEMENTED",
        "Query expansion with attend: false is not built for a GPU: load the model with device: 'cpu'");
  call.keys.length = pass.input.batch.attended.data();
}

// The gradients of keys and values that nobody saw.
void clear_hidden(const Rows& batch, const Projections& d_qkv) {
  for (int64_t row = 0; row < batch.rows(); ++row) {
    const int64_t first = batch.offsets[row] + batch.attended_of(row), count = batch.offsets[row + 1] - first;
    if (count == 0) continue;
    d_qkv.k.narrow(0, first, count).zero_();
    d_qkv.v.narrow(0, first, count).zero_();
  }
}

}  // namespace

AttentionCall SelfAttention::call(const Pass& pass, const std::optional<RelativeBias>& bias) const {
  const Sequences rows = rows_of(pass.input);
  AttentionCall out{.queries = rows,
                    .keys = rows,
                    .shape = shape_,
                    .dropout = pass.dropout_at(site_, dropout_),
                    .bias = bias ? &*bias : nullptr};
  if (pass.input.batch.hides_tokens()) hide_tokens(pass, out);
  return out;
}

bool SelfAttention::is_trained(const Gradients& gradients) const {
  return qkv_.is_trained(gradients) || output_.is_trained(gradients) || (bias_ && gradients[bias_->table].defined()) ||
         (norms_ && (norms_->query.is_trained(gradients) || norms_->key.is_trained(gradients)));
}

SelfAttention::Kept SelfAttention::keep(const Pass& pass) const {
  const AttentionCall of_pass = call(pass, {});
  Kept kept;
  kept.qkv_TX = pass.take(qkv_.width());
  kept.context_TD = pass.take(width());
  if (pass.training) kept.lse_HT = pass.workspace.take({shape_.heads, pass.input.tokens()}, pass.master());
  if (pass.training && norms_) kept.heads_TK = pass.take((shape_.heads + shape_.kv_heads) * shape_.head_dim);
  kept.inner_TR = qkv_.keep(pass);
  if (of_pass.dropout.active()) kept.mask = pass.workspace.take({attention_mask_words(of_pass)}, at::kShort);
  kept.output = output_.keep(pass);
  return kept;
}

HeadNorms SelfAttention::head_norms(const Pass& pass) const {
  return {shape_.heads, norms_->query.weights(pass), norms_->key.weights(pass)};
}

void SelfAttention::project(const Pass& pass, const at::Tensor& x_TD, const at::Tensor& inner_TR, at::Tensor qkv_TX,
                            at::Tensor heads_TK) const {
  if (!rotary_) return qkv_.forward(pass, x_TD, inner_TR, qkv_TX);
  const Scratch scratch(pass.workspace);
  const Weight weight = qkv_.weight(pass, x_TD, inner_TR);
  const RotaryAngles angles = rotary_->angles(pass);
  if (!norms_) return linear_rotary(x_TD, weight, qkv_.bias(pass), rotary_->shape(), angles, qkv_TX);
  linear_head_norm(x_TD, weight, qkv_.bias(pass), head_norms(pass), rotary_->shape(), angles, heads_TK, qkv_TX);
}

// From what attention read to the product.
void SelfAttention::project_back(const Pass& pass, const Gradients& gradients, const Kept& kept,
                                 const at::Tensor& d_qkv_TX) const {
  if (!rotary_) return;
  const at::Tensor d_bias_X = qkv_.bias_gradient(gradients);
  const RotaryAngles angles = rotary_->angles(pass);
  if (!norms_) return linear_rotary_backward(rotary_->shape(), angles, d_qkv_TX, d_bias_X);
  linear_head_norm_backward(head_norms(pass), rotary_->shape(), angles, kept.heads_TK, d_qkv_TX,
                            {norms_->query.gamma_gradient(gradients), norms_->key.gamma_gradient(gradients), d_bias_X});
}

SelfAttention::Kept SelfAttention::forward(const Pass& pass, const Stream& in, const Stream& out) const {
  yield_here();
  Kept kept = keep(pass);
  kept.x_TD = in.x_TD;
  kept.reads_sum = in.is_one();
  project(pass, in.x_TD, kept.inner_TR, kept.qkv_TX, kept.heads_TK);
  yield_here();
  const std::optional<RelativeBias> added = bias(pass);
  attention(call(pass, added), side_by_side(kept.qkv_TX, shape_), kept.context_TD, kept.lse_HT, kept.mask);
  yield_here();
  output_.forward(pass, kept.context_TD, in, out, kept.output);
  return kept;
}

GraphStream SelfAttention::add_to(onnx::Graph& graph, const GraphStream& in) const {
  const int64_t size = shape_.head_dim, keys = shape_.kv_heads * size;
  const std::vector<onnx::Value> qkv = qkv_.add_to(graph, in.x, {width(), keys, keys});
  onnx::Value q = onnx::heads_BHSE(graph, qkv[0], shape_.heads, size);
  onnx::Value k = onnx::heads_BHSE(graph, qkv[1], shape_.kv_heads, size);
  const onnx::Value v = onnx::heads_BHSE(graph, qkv[2], shape_.kv_heads, size);
  if (norms_) {
    q = norms_->query.add_to(graph, q);
    k = norms_->key.add_to(graph, k);
  }
  if (rotary_) {
    q = rotary_->add_to(graph, q);
    k = rotary_->add_to(graph, k);
  }
  onnx::Value scores = onnx::scores_BHSS(graph, q, onnx::shared_heads_BHSE(graph, k, shape_));
  if (shape_.scale != 1) scores = onnx::multiply(graph, scores, graph.number(shape_.scale));
  if (bias_) {
    const onnx::Value table = graph.parameter(bias_->table);
    const auto& [id, buckets, max_distance, both_ways] = *bias_;
    scores = onnx::add(graph, scores, onnx::relative_bias(graph, table, buckets, max_distance, both_ways));
  }
  scores = onnx::add(graph, scores, onnx::mask_bias(graph, shape_));
  const onnx::Value context = onnx::attend_BSX(graph, shape_, scores, onnx::shared_heads_BHSE(graph, v, shape_));
  return output_.add_to(graph, context, in);
}

Stream SelfAttention::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const {
  const Scratch scratch(pass.workspace);
  at::Tensor d_context_TD = pass.take(width()), d_qkv_TX = pass.take(qkv_.width());
  const OutputBlock::Back back = output_.backward(pass, gradients, kept.output, d_out, kept.context_TD);
  linear_backward_input(back.d_y_TD, back.weight, d_context_TD, false);
  const std::optional<RelativeBias> added = bias(pass);
  const Projections d_qkv = side_by_side(d_qkv_TX, shape_);
  if (pass.input.batch.hides_tokens()) clear_hidden(pass.input.batch, d_qkv);
  // What is turned has its bias in front of that.
  const at::Tensor d_bias_X = rotary_ ? at::Tensor() : qkv_.bias_gradient(gradients);
  at::Tensor d_table_BH = bias_ ? gradients[bias_->table] : at::Tensor();
  if (d_table_BH.defined()) d_table_BH = d_table_BH.narrow(0, 0, bias_->buckets);
  attention_backward(call(pass, added), side_by_side(kept.qkv_TX, shape_), kept.context_TD, kept.lse_HT, kept.mask,
                     d_context_TD, {.values = d_qkv, .biases = side_by_side(d_bias_X, shape_), .table_BH = d_table_BH});
  yield_here();
  project_back(pass, gradients, kept, d_qkv_TX);
  const Stream d_in = kept.reads_sum ? Stream(d_out.sum_TD) : d_out;
  if (!pass.to_input) {
    qkv_.backward_weight(pass, gradients, kept.x_TD, kept.inner_TR, d_qkv_TX);
    return d_in;
  }
  qkv_.backward(pass, gradients, kept.x_TD, kept.inner_TR, d_qkv_TX, d_in.x_TD, kept.reads_sum);
  return d_in;
}

}  // namespace st
