#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// What relative positions add to attention's scores (DeBERTa, He et al. 2021): query i and key j of a row have the
// score scale (q_i k_j + q_i pk_d + pq_d k_j), where d is the place of i - j. R places, X = heads * E.
namespace st {

// Queries and keys of positions, [R, X].
struct PositionPair {
  at::Tensor q_RX, k_RX;
};

struct PositionScores {
  PositionPair pair;  // of the type of queries and keys; rows may lie any distance apart
  // The rows of both for i - j from 1 - longest to longest - 1, which never fall.
  const std::vector<int64_t>& places;

  int64_t longest() const { return static_cast<int64_t>(places.size() + 1) / 2; }
};

// The bucket of a query `distance` tokens after its key, from -buckets + 1 to buckets - 1: make_log_bucket_position of
// modeling_deberta_v2.py, counted in float32. Without buckets (0) the distance itself.
int64_t log_bucket(int64_t distance, int64_t buckets, int64_t max_distance);

// Copies of the pair by distance, for kernels::Positions: H heads, M = 2 * reach distances from -reach on, E the size
// of a head, padded. What has no place is 0.
template <typename A>
struct PositionTables {
  int64_t heads, head_dim, padded_E, reach;
  std::vector<A> k_HME, q_HME;  // q_HME is empty if no backward pass follows
  std::vector<A> q_HPED;        // factor * q in panels
  int64_t size() const { return heads * 2 * reach * padded_E; }
};
template <typename A>
PositionTables<A> tables_of(const PositionScores& positions, int64_t heads, A factor, bool backward);

// Adds factor * `parts` tables [H, M, E] of gradients, one behind the other, to the places of d_RX.
template <typename A>
void add_to_places(const PositionScores& positions, const PositionTables<A>& tables, int64_t parts, const A* d_HME,
                   A factor, const at::Tensor& d_RX);

// Throws ERR_INVALID_ARGUMENT where the pair does not fit queries of this width and type, or rows of this length.
void check_positions(const PositionScores& positions, int64_t width, at::ScalarType type, int64_t longest);

}  // namespace st
