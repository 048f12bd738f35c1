#include "attention_case.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "core/device.h"

namespace st::test {

AttentionShape shape_of_heads(int64_t heads, int64_t kv_heads, int64_t head_dim, bool causal, int64_t window) {
  return {.heads = heads,
          .kv_heads = kv_heads,
          .head_dim = head_dim,
          .scale = 1 / std::sqrt(static_cast<double>(head_dim)),
          .causal = causal,
          .window = window};
}

std::vector<AttentionSetup> attention_setups(int64_t head_dim) {
  const auto shape = [&](int64_t heads, int64_t kv_heads, bool causal = false, int64_t window = -1) {
    return shape_of_heads(heads, kv_heads, head_dim, causal, window);
  };
  AttentionShape unscaled = shape(2, 2);
  unscaled.scale = 1;
  return {{.name = "plain", .shape = shape(2, 2)},
          {.name = "causal", .shape = shape(2, 2, true)},
          {.name = "window 0", .shape = shape(2, 2, false, 0)},
          {.name = "window 1", .shape = shape(2, 2, false, 1)},
          {.name = "window 7", .shape = shape(2, 2, false, 7)},
          {.name = "window 40", .shape = shape(2, 2, false, 40)},
          {.name = "causal window 5", .shape = shape(2, 2, true, 5)},
          {.name = "groups of 2", .shape = shape(4, 2)},
          {.name = "groups of 4, separate", .shape = shape(4, 1), .separate = true},
          {.name = "causal groups of 2, window 3", .shape = shape(4, 2, true, 3)},
          {.name = "bias both ways, no scale", .shape = unscaled, .biased = true},
          {.name = "bias one way, causal", .shape = shape(2, 2, true), .biased = true, .both_ways = false},
          {.name = "bias, window 6", .shape = shape(2, 2, false, 6), .biased = true},
          {.name = "positions", .shape = shape(3, 3), .positions = true},
          {.name = "positions, separate, no scale", .shape = unscaled, .separate = true, .positions = true},
          {.name = "other keys", .shape = shape(2, 2), .more_keys = 6, .separate = true},
          {.name = "fewer keys", .shape = shape(2, 2), .more_keys = -3, .separate = true},
          {.name = "bias, fewer keys", .shape = shape(2, 2), .biased = true, .more_keys = -3},
          {.name = "cache, causal", .shape = shape(2, 2, true), .more_keys = 37, .separate = true},
          {.name = "all", .shape = shape(4, 2, true, 9), .biased = true, .more_keys = 21, .separate = true},
          {.name = "all, both ways", .shape = shape(4, 2, false, 9), .biased = true, .more_keys = 21}};
}

namespace {

// Of distances up to beyond the longest row; near ones have places of their own, as those of DeBERTa.
std::vector<int64_t> places_of(const std::vector<int>& lengths) {
  constexpr int64_t kBuckets = 24, kMost = 40;
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end()) + 3;
  std::vector<int64_t> out;
  for (int64_t distance = 1 - longest; distance < longest; ++distance) {
    out.push_back(std::clamp<int64_t>(log_bucket(distance, kBuckets, kMost) + kBuckets, 0, 2 * kBuckets - 1));
  }
  return out;
}

PackedBatch keys_of(const std::vector<int>& query_lengths, int more) {
  std::vector<int> lengths;
  for (const int length : query_lengths) lengths.push_back(std::max(1, length + more));
  return batch_of(lengths);
}

}  // namespace

AttentionCase::AttentionCase(const AttentionSetup& setup, const std::vector<int>& query_lengths, at::ScalarType type,
                             double dropout)
    : query_batch(batch_of(query_lengths)),
      key_batch(keys_of(query_lengths, setup.more_keys)),
      query_input(query_batch, at::kCPU),
      key_input(key_batch, at::kCPU),
      bias{random_tensor({12, setup.shape.heads}, type, 4, 2), 20, setup.both_ways},
      places(places_of(query_lengths)),
      positions{.pair = {}, .places = places},
      call{.queries = rows_of(query_input),
           .keys = rows_of(key_input),
           .shape = setup.shape,
           .dropout = dropout > 0 ? Dropout(key_of_part(), 9, dropout) : Dropout(),
           .bias = setup.biased ? &bias : nullptr,
           .positions = setup.positions ? &positions : nullptr} {
  constexpr int64_t kUnused = 3;
  const int64_t tokens = query_batch.tokens(), keys = key_batch.tokens();
  const int64_t x = setup.shape.heads * setup.shape.head_dim, y = setup.shape.kv_heads * setup.shape.head_dim;
  const at::ScalarType master = master_dtype(type);
  if (setup.separate || setup.more_keys != 0) {
    matrices = {random_tensor({tokens, x + kUnused}, type, 1, 2), random_tensor({keys, y + kUnused}, type, 2, 2),
                random_tensor({keys, y + kUnused}, type, 3, 2)};
  } else {
    matrices = {random_tensor({tokens, x + 2 * y}, type, 1, 2)};
  }
  for (const at::Tensor& matrix : matrices) d_matrices.push_back(at::zeros_like(matrix));
  const auto views = [&](const std::vector<at::Tensor>& from) {
    if (from.size() == 1) return side_by_side(from[0], setup.shape);
    return Projections{from[0].narrow(1, kUnused, x), from[1].narrow(1, 0, y), from[2].narrow(1, 1, y)};
  };
  qkv = views(matrices);
  d = {.values = views(d_matrices),
       .biases = {at::ones({x}, master), at::ones({y}, master), at::ones({y}, master)},
       .table_BH = setup.biased ? at::ones(bias.table_BH.sizes(), master) : at::Tensor()};
  if (setup.positions) {
    const int64_t rows = places.back() + 2;
    position_matrix = random_tensor({rows, 2 * x}, type, 6, 2);
    positions.pair = {position_matrix.narrow(1, 0, x), position_matrix.narrow(1, x, x)};
    d.positions = {at::ones({rows, x}, master), at::ones({rows, x}, master)};
  }
  // A part of a wider matrix too.
  out = at::full({tokens, x + kUnused}, 9, type).narrow(1, 1, x);
  lse = at::zeros({setup.shape.heads, tokens}, master);
  mask = at::full({attention_mask_words(call)}, 9, at::kShort);
  d_out = random_tensor({tokens, x}, type, 5);
}

void AttentionCase::forward(bool reference) {
  (reference ? reference::attention : attention)(call, qkv, out, lse, mask);
}

void AttentionCase::backward(bool reference) {
  (reference ? reference::attention_backward : attention_backward)(call, qkv, out, lse, mask, d_out, d);
}

}  // namespace st::test
