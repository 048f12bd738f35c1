#pragma once

#include <vector>

#include "ops/attention.h"

// Attention whose scores also read positions (DeBERTa, He et al. 2021): query i and key j of a row have the score scale
// (q_i k_j + q_i pk_d + pq_d k_j), where d is the bucket of i - j. In ATen, on every device; on the CPU each thread has
// rows of its own. R buckets.
namespace st {

struct DisentangledCall {
  const Input& input;
  int64_t heads, head_dim;
  double scale;
  Dropout dropout;
  // The rows of pq and pk for i - j from 1 - longest to longest - 1, which never fall.
  const std::vector<int64_t>& places;
};

// Queries and keys of positions, [R, X].
struct PositionPair {
  at::Tensor q_RX, k_RX;
};

// The bucket of a query `distance` tokens after its key, from -buckets + 1 to buckets - 1: make_log_bucket_position of
// modeling_deberta_v2.py, counted in float32. Without buckets (0) the distance itself.
int64_t log_bucket(int64_t distance, int64_t buckets, int64_t max_distance);

// lse_HT (master dtype) is undefined if no backward pass follows.
void disentangled_attention(const DisentangledCall& call, const Projections& qkv, const PositionPair& positions,
                            at::Tensor out_TX, at::Tensor lse_HT);
// Writes `d`, and adds to d_positions (master dtype).
void disentangled_attention_backward(const DisentangledCall& call, const Projections& qkv,
                                     const PositionPair& positions, const at::Tensor& out_TX, const at::Tensor& lse_HT,
                                     const at::Tensor& d_out_TX, const Projections& d, const PositionPair& d_positions);

}  // namespace st
