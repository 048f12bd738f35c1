// The readable reference of attention: row by row in ATen, on every device and in every type.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <vector>

#include "ops/attention.h"
#include "ops/dropout.h"

namespace st::reference {

namespace {

// One row of a call. Q queries, K keys, H heads, G key heads.
struct Row {
  Row(const AttentionCall& c, int64_t r)
      : call(c),
        row(r),
        first_query(c.queries.first[r]),
        queries(c.queries.length_of(r)),
        first_key(c.keys.first[r]),
        keys(c.keys.length_of(r)) {}

  at::Tensor of_queries(const at::Tensor& x_TX) const { return x_TX.narrow(0, first_query, queries); }
  at::Tensor of_keys(const at::Tensor& x_SY) const { return x_SY.narrow(0, first_key, keys); }

  const AttentionCall& call;
  int64_t row, first_query, queries, first_key, keys;
};

at::ScalarType arithmetic(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// [heads, tokens, head size] of [tokens, heads * head size].
at::Tensor heads_HLE(const at::Tensor& x_LX, int64_t heads) {
  return x_LX.to(arithmetic(x_LX)).reshape({x_LX.size(0), heads, -1}).transpose(0, 1);
}

at::Tensor merged_LX(const at::Tensor& x_HLE) {
  return x_HLE.transpose(0, 1).reshape({x_HLE.size(1), -1});
}

// Each key head for all query heads that it serves, and back: the sum of their gradients.
at::Tensor repeated_HKE(const at::Tensor& x_GKE, const AttentionShape& shape) {
  return x_GKE.repeat_interleave(shape.heads / shape.kv_heads, 0);
}
at::Tensor summed_GKE(const at::Tensor& x_HKE, const AttentionShape& shape) {
  return x_HKE.reshape({shape.kv_heads, shape.heads / shape.kv_heads, x_HKE.size(1), x_HKE.size(2)})
      .sum(at::IntArrayRef{1});
}

// Position of the key - position of the query.
at::Tensor distances_QK(const Row& row, at::TensorOptions options) {
  const at::Tensor keys_K = at::arange(row.keys, options.dtype(at::kLong));
  const at::Tensor positions_Q = at::arange(row.keys - row.queries, row.keys, options.dtype(at::kLong));
  return keys_K - positions_Q.unsqueeze(1);
}

at::Tensor buckets_QK(const Row& row, at::TensorOptions options) {
  const RelativeBias& bias = *row.call.bias;
  std::vector<int64_t> buckets;
  for (int64_t query = 0; query < row.queries; ++query) {
    for (int64_t key = 0; key < row.keys; ++key) {
      const int64_t distance = key - (row.keys - row.queries + query);
      buckets.push_back(relative_bucket(distance, bias.table_BH.size(0), bias.max_distance, bias.both_ways));
    }
  }
  return at::tensor(buckets, at::kLong).view({row.queries, row.keys}).to(options.device());
}

// The rows of the position's queries and keys for each query and key, for all heads.
at::Tensor places_HQK(const Row& row, at::TensorOptions options) {
  const PositionScores& positions = *row.call.positions;
  std::vector<int64_t> places;
  for (int64_t query = 0; query < row.queries; ++query) {
    for (int64_t key = 0; key < row.keys; ++key) {
      places.push_back(positions.places[query - key + positions.longest() - 1]);
    }
  }
  return at::tensor(places, at::kLong)
      .view({row.queries, row.keys})
      .to(options.device())
      .expand({row.call.shape.heads, row.queries, row.keys});
}

// q_i pk_d + pq_d k_j.
at::Tensor position_scores_HQK(const Row& row, const at::Tensor& q_HQE, const at::Tensor& k_HKE) {
  const PositionPair& pair = row.call.positions->pair;
  const at::Tensor pq_HRE = heads_HLE(pair.q_RX, row.call.shape.heads);
  const at::Tensor pk_HRE = heads_HLE(pair.k_RX, row.call.shape.heads);
  const at::Tensor places = places_HQK(row, q_HQE.options());
  const at::Tensor to_position = at::gather(at::matmul(q_HQE, pk_HRE.transpose(1, 2)), 2, places);
  const at::Tensor of_keys_HKQ = at::gather(at::matmul(k_HKE, pq_HRE.transpose(1, 2)), 2, places.transpose(1, 2));
  return to_position + of_keys_HKQ.transpose(1, 2);
}

// The gradients that pass through it: adds to those of queries and keys, and of positions, where they are wanted.
void position_gradients(const Row& row, const at::Tensor& q_HQE, const at::Tensor& k_HKE, const at::Tensor& d_HQK,
                        at::Tensor d_q_HQE, at::Tensor d_k_HKE, const PositionPair& d) {
  const PositionPair& pair = row.call.positions->pair;
  const int64_t heads = row.call.shape.heads;
  const at::Tensor places = places_HQK(row, q_HQE.options());
  const auto by_place = [&](const at::Tensor& d_HLL, const at::Tensor& places_HLL) {
    return at::zeros({heads, d_HLL.size(1), pair.q_RX.size(0)}, d_HLL.options()).scatter_add_(2, places_HLL, d_HLL);
  };
  const at::Tensor d_to_HQR = by_place(d_HQK, places),
                   d_from_HKR = by_place(d_HQK.transpose(1, 2), places.transpose(1, 2));
  d_q_HQE.add_(at::matmul(d_to_HQR, heads_HLE(pair.k_RX, heads)));
  d_k_HKE.add_(at::matmul(d_from_HKR, heads_HLE(pair.q_RX, heads)));
  if (!d.q_RX.defined()) return;
  at::Tensor(d.k_RX).add_(merged_LX(at::matmul(d_to_HQR.transpose(1, 2), q_HQE)));
  at::Tensor(d.q_RX).add_(merged_LX(at::matmul(d_from_HKR.transpose(1, 2), k_HKE)));
}

// scale q k' + bias, -infinity where the query does not see the key.
at::Tensor scores_HQK(const Row& row, const at::Tensor& q_HQE, const at::Tensor& k_HKE) {
  const AttentionShape& shape = row.call.shape;
  at::Tensor scores = at::matmul(q_HQE, k_HKE.transpose(1, 2)) * shape.scale;
  if (row.call.positions != nullptr) scores = scores + position_scores_HQK(row, q_HQE, k_HKE) * shape.scale;
  if (row.call.bias != nullptr) {
    const at::Tensor buckets = buckets_QK(row, scores.options());
    const at::Tensor table_BH = row.call.bias->table_BH.to(scores.scalar_type());
    scores = scores + table_BH.index_select(0, buckets.view(-1)).view({row.queries, row.keys, -1}).permute({2, 0, 1});
  }
  const at::Tensor distances = distances_QK(row, scores.options());
  constexpr double kHidden = -std::numeric_limits<double>::infinity();
  if (shape.causal) scores = scores.masked_fill(distances > 0, kHidden);
  if (shape.window >= 0) scores = scores.masked_fill(distances.abs() > shape.window, kHidden);
  return scores;
}

// The factors of dropout, or undefined.
at::Tensor multiplier_HQK(const Row& row, at::TensorOptions options) {
  if (!row.call.dropout.active()) return {};
  return dropout_multiplier_HQK(row.call.dropout, row.row, row.call.shape.heads, row.queries, row.keys, options);
}

at::Tensor dropped(const at::Tensor& x_HQK, const at::Tensor& multiplier_HQK) {
  return multiplier_HQK.defined() ? x_HQK * multiplier_HQK : x_HQK;
}

void add_sum(const at::Tensor& d_LX, const at::Tensor& to_X) {
  if (!to_X.defined()) return;
  at::Tensor to = to_X;
  to.add_(d_LX.sum(at::IntArrayRef{0}, false, to.scalar_type()));
}

}  // namespace

void attention(const AttentionCall& call, const Projections& qkv, at::Tensor out_TX, at::Tensor lse_HT, at::Tensor) {
  const AttentionShape& shape = call.shape;
  for (int64_t r = 0; r < call.queries.rows; ++r) {
    const Row row(call, r);
    const at::Tensor q_HQE = heads_HLE(row.of_queries(qkv.q), shape.heads);
    const at::Tensor k_HKE = repeated_HKE(heads_HLE(row.of_keys(qkv.k), shape.kv_heads), shape);
    const at::Tensor v_HKE = repeated_HKE(heads_HLE(row.of_keys(qkv.v), shape.kv_heads), shape);
    const at::Tensor scores = scores_HQK(row, q_HQE, k_HKE);
    const at::Tensor lse_HQ1 = scores.logsumexp(2, true);
    const at::Tensor p_HQK = dropped(at::exp(scores - lse_HQ1), multiplier_HQK(row, scores.options()));
    row.of_queries(out_TX).copy_(merged_LX(at::matmul(p_HQK, v_HKE)));
    if (lse_HT.defined()) lse_HT.narrow(1, row.first_query, row.queries).copy_(lse_HQ1.squeeze(2));
  }
}

void attention_backward(const AttentionCall& call, const Projections& qkv, const at::Tensor& out_TX,
                        const at::Tensor& lse_HT, const at::Tensor&, const at::Tensor& d_out_TX,
                        const AttentionGradients& d) {
  const AttentionShape& shape = call.shape;
  for (int64_t r = 0; r < call.queries.rows; ++r) {
    const Row row(call, r);
    const at::Tensor q_HQE = heads_HLE(row.of_queries(qkv.q), shape.heads);
    const at::Tensor k_HKE = repeated_HKE(heads_HLE(row.of_keys(qkv.k), shape.kv_heads), shape);
    const at::Tensor v_HKE = repeated_HKE(heads_HLE(row.of_keys(qkv.v), shape.kv_heads), shape);
    const at::Tensor d_out_HQE = heads_HLE(row.of_queries(d_out_TX), shape.heads);
    const at::Tensor out_HQE = heads_HLE(row.of_queries(out_TX), shape.heads);
    const at::Tensor scores = scores_HQK(row, q_HQE, k_HKE);
    const at::Tensor multiplier = multiplier_HQK(row, scores.options());
    const at::Tensor p_HQK = at::exp(scores - lse_HT.narrow(1, row.first_query, row.queries).unsqueeze(2));
    const at::Tensor d_p_HQK = dropped(at::matmul(d_out_HQE, v_HKE.transpose(1, 2)), multiplier);
    const at::Tensor d_scores = p_HQK * (d_p_HQK - (d_out_HQE * out_HQE).sum(2, true));
    const at::Tensor d_q_HQE = at::matmul(d_scores, k_HKE) * shape.scale;
    const at::Tensor d_k_HKE = at::matmul(d_scores.transpose(1, 2), q_HQE) * shape.scale;
    const at::Tensor d_v_HKE = at::matmul(dropped(p_HQK, multiplier).transpose(1, 2), d_out_HQE);

    if (call.positions != nullptr) {
      position_gradients(row, q_HQE, k_HKE, d_scores * shape.scale, d_q_HQE, d_k_HKE, d.positions);
    }
    const at::Tensor d_q = row.of_queries(d.values.q), d_k = row.of_keys(d.values.k), d_v = row.of_keys(d.values.v);
    d_q.copy_(merged_LX(d_q_HQE));
    d_k.copy_(merged_LX(summed_GKE(d_k_HKE, shape)));
    d_v.copy_(merged_LX(summed_GKE(d_v_HKE, shape)));
    add_sum(d_q, d.biases.q);
    add_sum(d_k, d.biases.k);
    add_sum(d_v, d.biases.v);
    if (call.bias != nullptr && d.table_BH.defined()) {
      at::Tensor d_table_BH = d.table_BH;
      d_table_BH.index_add_(0, buckets_QK(row, scores.options()).view(-1),
                            d_scores.permute({1, 2, 0}).reshape({-1, shape.heads}).to(d_table_BH.scalar_type()));
    }
  }
}

}  // namespace st::reference
