#pragma once

#include <string>
#include <vector>

#include "ops/attention.h"
#include "support.h"

namespace st::test {

// What a test of attention asks for.
struct AttentionSetup {
  std::string name;
  AttentionShape shape;
  bool biased = false, both_ways = true;
  // Keys that every row has beyond its queries: a cache, where positions count, or the rows of another text.
  int more_keys = 0;
  // Of all tokens in one matrix, or queries, keys and values in three with unused columns between their rows.
  bool separate = false;
  bool positions = false;
};

// A shape with the usual scale.
AttentionShape shape_of_heads(int64_t heads, int64_t kv_heads, int64_t head_dim, bool causal = false,
                              int64_t window = -1);

// Every member of the descriptor alone and several together, with heads of this size.
std::vector<AttentionSetup> attention_setups(int64_t head_dim);

// A call with random tensors, and room for its results.
struct AttentionCase {
  AttentionCase(const AttentionSetup& setup, const std::vector<int>& query_lengths, at::ScalarType type,
                double dropout);
  AttentionCase(const AttentionCase&) = delete;
  AttentionCase& operator=(const AttentionCase&) = delete;

  void forward(bool reference = false);
  void backward(bool reference = false);

  PackedBatch query_batch, key_batch;
  Input query_input, key_input;
  RelativeBias bias;
  std::vector<int64_t> places;
  at::Tensor position_matrix;  // their queries and keys
  PositionScores positions;
  AttentionCall call;
  std::vector<at::Tensor> matrices, d_matrices;  // that hold queries, keys and values, and their gradients
  Projections qkv;
  AttentionGradients d;
  at::Tensor out, lse, mask, d_out;
};

}  // namespace st::test
