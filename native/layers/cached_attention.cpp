#include "layers/cached_attention.h"

#include <ATen/ops/bmm.h>

namespace st {

namespace {

// CUDA's attention reads whole batches alone.
void attend(const AttentionCall& call, const Projections& qkv, at::Tensor context_RX) {
  (context_RX.is_cpu() ? attention : reference::attention)(call, qkv, context_RX, {}, {});
}

// The queries of `pass` attend to places of a cache.
void attend(const AttentionCall& call, const at::Tensor& q_RX, const at::Tensor& cache_S2Y, at::Tensor context_RX) {
  const int64_t width = call.shape.kv_heads * call.shape.head_dim;
  attend(call, {q_RX, cache_S2Y.narrow(1, 0, width), cache_S2Y.narrow(1, width, width)}, context_RX);
}

// The same without keys and values: with K = S W_k' and V = S W_v', Q K' is (Q W_k) S', and P V is (P S) W_v'. All
// heads read the same rows of S.
void attend_to_states(const Pass& pass, AttentionCall call, const at::Tensor& q_RX, const at::Tensor& states_MD,
                      const at::Tensor& weight_2XD, at::Tensor context_RX) {
  const int64_t heads = call.shape.heads, dim = call.shape.head_dim, width = states_MD.size(1);
  const auto by_head = [&](const at::Tensor& x, int64_t each) { return x.unflatten(1, {heads, each}).transpose(0, 1); };
  const auto weights = weight_2XD.view({2, heads, dim, width});
  const at::Tensor q_RHD = pass.take(heads * width), context_RHD = pass.take(heads * width);
  at::Tensor q_HRD = by_head(q_RHD, width), context_HRE = by_head(context_RX, dim);
  at::bmm_out(q_HRD, by_head(q_RX, dim), weights[0]);
  call.shape.kv_heads = 1;
  call.shape.head_dim = width;
  attend(call, {q_RHD, states_MD, states_MD}, context_RHD);
  at::bmm_out(context_HRE, by_head(context_RHD, width), weights[1].transpose(1, 2));
}

Sequences places(const std::vector<int32_t>& first, const std::vector<int32_t>& length) {
  return {.rows = static_cast<int64_t>(first.size()), .first = first.data(), .length = length.data()};
}

void project_output(const OutputBlock& output, const Pass& pass, const at::Tensor& context_RX, const Stream& in,
                    const Stream& out) {
  OutputBlock::Kept kept = output.keep(pass);
  output.forward(pass, context_RX, in, out, kept);
}

}  // namespace

void forward_cached(const SelfAttention& block, const Pass& pass, const Stream& in, const Stream& out,
                    const CachedRows& rows, const LayerCache& cache) {
  const Scratch scratch(pass.workspace);
  const AttentionShape& shape = block.shape();
  const int64_t queries = shape.heads * shape.head_dim;
  const at::Tensor qkv_RX = pass.take(block.qkv_width()), context_RX = pass.take(queries);
  block.project(pass, in.x_TD, qkv_RX);
  at::Tensor(cache.own_S2Y).index_copy_(0, rows.new_R, qkv_RX.narrow(1, queries, 2 * shape.kv_heads * shape.head_dim));
  const std::optional<RelativeBias> bias = block.bias(pass);
  attend({.queries = rows_of(pass.input),
          .keys = places(rows.first, rows.length),
          .shape = shape,
          .bias = bias ? &*bias : nullptr},
         qkv_RX.narrow(1, 0, queries), cache.own_S2Y, context_RX);
  project_output(block.output(), pass, context_RX, in, out);
}

bool reads_states(const CrossAttention& block) {
  return block.shape().kv_heads == block.shape().heads && !block.keys_values().has_bias();
}

void remember(const CrossAttention& block, const Pass& pass, const at::Tensor& states_TD, at::Tensor kv_T2Y) {
  block.keys_values().forward(pass, states_TD, {}, kv_T2Y);
}

void forward_cached(const CrossAttention& block, const Pass& pass, const Stream& in, const Stream& out,
                    const CachedRows& rows, const LayerCache& cache) {
  const Scratch scratch(pass.workspace);
  const int64_t width = block.query().width();
  const at::Tensor q_RX = pass.take(width), context_RX = pass.take(width);
  block.query().forward(pass, in.x_TD, {}, q_RX);
  const AttentionCall call{.queries = places(rows.reader_first, rows.readers),
                           .keys = places(rows.memory_first, rows.memory_length),
                           .shape = block.shape()};
  if (rows.states_MD.defined()) {
    attend_to_states(pass, call, q_RX, rows.states_MD, block.keys_values().whole(pass), context_RX);
  } else {
    attend(call, q_RX, cache.memory_M2Y, context_RX);
  }
  project_output(block.output(), pass, context_RX, in, out);
}

}  // namespace st
