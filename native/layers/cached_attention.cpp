#include "layers/cached_attention.h"

namespace st {

namespace {

// The queries of `pass` attend to places of a cache. CUDA's attention reads whole batches alone.
void attend(const AttentionCall& call, const at::Tensor& q_RX, const at::Tensor& cache_S2Y, at::Tensor context_RX) {
  const int64_t width = call.shape.kv_heads * call.shape.head_dim;
  const Projections qkv{q_RX, cache_S2Y.narrow(1, 0, width), cache_S2Y.narrow(1, width, width)};
  (q_RX.is_cpu() ? attention : reference::attention)(call, qkv, context_RX, {}, {});
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

void remember(const CrossAttention& block, const Pass& pass, const at::Tensor& states_TD, at::Tensor kv_T2Y) {
  block.keys_values().forward(pass, states_TD, {}, kv_T2Y);
}

void forward_cached(const CrossAttention& block, const Pass& pass, const Stream& in, const Stream& out,
                    const CachedRows& rows, const LayerCache& cache) {
  const Scratch scratch(pass.workspace);
  const int64_t width = block.query().width();
  const at::Tensor q_RX = pass.take(width), context_RX = pass.take(width);
  block.query().forward(pass, in.x_TD, {}, q_RX);
  attend({.queries = places(rows.reader_first, rows.readers),
          .keys = places(rows.memory_first, rows.memory_length),
          .shape = block.shape()},
         q_RX, cache.memory_M2Y, context_RX);
  project_output(block.output(), pass, context_RX, in, out);
}

}  // namespace st
