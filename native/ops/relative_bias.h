#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// Bias of attention's scores by relative position, in buckets (T5, MPNet).
namespace st {

// A learned number for each bucket and head, added to the scaled scores. B buckets, H heads.
struct RelativeBias {
  at::Tensor table_BH;   // contiguous, of any floating type
  int64_t max_distance;  // from here on all distances share the last bucket
  bool both_ways;        // half of the buckets for keys after the query; otherwise these share bucket 0
};

// The bucket of `distance` = position of the key - position of the query, counted as transformers does in float32:
// relative_position_bucket of modeling_t5.py and modeling_mpnet.py (whose two minus signs cancel out).
int64_t relative_bucket(int64_t distance, int64_t buckets, int64_t max_distance, bool both_ways);

// The biases of all distances: queries are at most `back` positions before the key and `ahead` after it. Column back +
// d belongs to a query d positions after its key.
struct Diagonals {
  int64_t back = 0, ahead = 0;
  int64_t count() const { return back + ahead + 1; }
};

// The bucket of each column of `diagonals`.
std::vector<int64_t> buckets_of(const RelativeBias& bias, const Diagonals& diagonals);

// to_HR = factor * the bias of each head and column, in rows `stride` apart; columns behind those of `buckets` are 0.
template <typename A>
std::vector<A> expanded_bias(const RelativeBias& bias, const std::vector<int64_t>& buckets, int64_t stride, A factor);

// Adds sums_HR, sums of the scores' gradients by head and column, to d_table_BH.
template <typename A>
void add_to_buckets(const RelativeBias& bias, const std::vector<int64_t>& buckets, const std::vector<double>& sums_HR,
                    A* d_table_BH);

// Throws ERR_INVALID_ARGUMENT where the table does not fit the number of heads or has too few buckets.
void check_bias(const RelativeBias& bias, int64_t heads);

}  // namespace st
