#include "ops/disentangled_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <cstdlib>
#include <map>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/dropout.h"

namespace st {

int64_t log_bucket(int64_t distance, int64_t buckets, int64_t max_distance) {
  const int64_t mid = buckets / 2, size = std::abs(distance);
  if (buckets <= 0 || size <= mid) return distance;
  const auto half = static_cast<float>(mid);
  const float longest = std::log(static_cast<float>(static_cast<double>(max_distance - 1) / static_cast<double>(mid)));
  const float steps = std::log(static_cast<float>(size) / half) / longest * static_cast<float>(mid - 1);
  const auto bucket = static_cast<int64_t>(std::ceil(steps)) + mid;
  return distance < 0 ? -bucket : bucket;
}

namespace {

at::ScalarType arithmetic(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// What rows of one length share. B buckets that they reach.
struct Distances {
  int64_t first, count;  // of the buckets
  at::Tensor places_LL;  // of each query and key, from `first` on
};

Distances distances_of(const DisentangledCall& call, int64_t length, at::Device device) {
  const auto middle = static_cast<int64_t>(call.places.size()) / 2;
  const int64_t *begin = call.places.data() + middle - (length - 1), first = *begin;
  // places_M[m] belongs to a query m - (length - 1) tokens before its key.
  const at::Tensor places_M = at::empty({2 * length - 1}, at::kLong);
  for (int64_t m = 0; m < 2 * length - 1; ++m) {
    places_M.data_ptr<int64_t>()[m] = begin[2 * length - 2 - m] - first;
  }
  return {first, begin[2 * length - 2] - first + 1, places_M.unfold(0, length, 1).flip(0).to(device)};
}

std::map<int64_t, Distances> distances_of(const DisentangledCall& call, at::Device device) {
  std::map<int64_t, Distances> out;
  for (int64_t row = 0; row < call.input.batch.rows(); ++row) {
    const int64_t length = call.input.batch.length(row);
    if (length > 0 && out.count(length) == 0) out.emplace(length, distances_of(call, length, device));
  }
  return out;
}

// One row of a call. L tokens, H heads.
class Row {
 public:
  Row(const DisentangledCall& call, const Distances& distances, int64_t row)
      : call_(call), distances_(distances), row_(row) {}

  int64_t length() const { return call_.input.batch.length(row_); }
  at::Tensor tokens(const at::Tensor& x_TX) const { return x_TX.narrow(0, call_.input.batch.offsets[row_], length()); }
  at::Tensor heads_HLE(const at::Tensor& x_TX) const { return by_head(tokens(x_TX)); }
  at::Tensor buckets(const at::Tensor& x_RX) const { return x_RX.narrow(0, distances_.first, distances_.count); }
  at::Tensor buckets_HBE(const at::Tensor& x_RX) const { return by_head(buckets(x_RX)); }

  // For each query the bucket of each key, and for each key that of each query.
  at::Tensor keys_HLL() const { return distances_.places_LL.expand({call_.heads, length(), length()}); }
  at::Tensor queries_HLL() const { return distances_.places_LL.t().expand({call_.heads, length(), length()}); }

  at::Tensor scores_HLL(const at::Tensor& q_HLE, const at::Tensor& k_HLE, const at::Tensor& pq_HBE,
                        const at::Tensor& pk_HBE) const {
    const at::Tensor content = at::matmul(q_HLE, k_HLE.transpose(1, 2));
    const at::Tensor to_position = at::gather(at::matmul(q_HLE, pk_HBE.transpose(1, 2)), 2, keys_HLL());
    const at::Tensor from_position = at::gather(at::matmul(k_HLE, pq_HBE.transpose(1, 2)), 2, queries_HLL());
    return (content + to_position + from_position.transpose(1, 2)) * call_.scale;
  }

  at::Tensor dropped(const at::Tensor& x_HLL) const {
    if (!call_.dropout.active()) return x_HLL;
    return x_HLL * dropout_multiplier_HQK(call_.dropout, row_, call_.heads, length(), length(), x_HLL.options());
  }

  at::Tensor lse_HL1(const at::Tensor& lse_HT) const {
    return lse_HT.narrow(1, call_.input.batch.offsets[row_], length()).unsqueeze(2);
  }

 private:
  at::Tensor by_head(const at::Tensor& x_LX) const {
    return x_LX.to(arithmetic(x_LX)).reshape({x_LX.size(0), call_.heads, call_.head_dim}).transpose(0, 1);
  }

  const DisentangledCall& call_;
  const Distances& distances_;
  int64_t row_;
};

at::Tensor merged_LX(const at::Tensor& x_HLE) {
  return x_HLE.transpose(0, 1).reshape({x_HLE.size(1), -1});
}

// Calls work(part, row) for all rows, those of a part one after the other.
template <typename Work>
int64_t for_all_rows(const DisentangledCall& call, const Work& work) {
  const auto distances = distances_of(call, call.input.ids_T.device());
  const int64_t rows = call.input.batch.rows();
  const int64_t parts = call.input.ids_T.is_cpu() ? parallel_parts(rows, 1) : 1;
  parallel_ranges(rows, parts, [&](int64_t part, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t length = call.input.batch.length(r);
      if (length > 0) work(part, Row(call, distances.at(length), r));
    }
  });
  return parts;
}

}  // namespace

void disentangled_attention(const DisentangledCall& call, const Projections& qkv, const PositionPair& positions,
                            at::Tensor out_TX, at::Tensor lse_HT) {
  const ProfileScope scope("disentangled attention");
  for_all_rows(call, [&](int64_t, const Row& row) {
    const at::Tensor scores_HLL = row.scores_HLL(row.heads_HLE(qkv.q), row.heads_HLE(qkv.k),
                                                 row.buckets_HBE(positions.q_RX), row.buckets_HBE(positions.k_RX));
    const at::Tensor lse_HL1 = scores_HLL.logsumexp(2, true);
    const at::Tensor p_HLL = row.dropped(at::exp(scores_HLL - lse_HL1));
    row.tokens(out_TX).copy_(merged_LX(at::matmul(p_HLL, row.heads_HLE(qkv.v))));
    if (lse_HT.defined()) row.lse_HL1(lse_HT).copy_(lse_HL1);
  });
}

void disentangled_attention_backward(const DisentangledCall& call, const Projections& qkv,
                                     const PositionPair& positions, const at::Tensor& out_TX, const at::Tensor& lse_HT,
                                     const at::Tensor& d_out_TX, const Projections& d,
                                     const PositionPair& d_positions) {
  const ProfileScope scope("disentangled attention, backward");
  // Each part sums the gradients of positions for itself.
  const int64_t most = parallel_parts(call.input.batch.rows(), 1);
  std::vector<PositionPair> partial(most);
  for (PositionPair& one : partial) one = {at::zeros_like(d_positions.q_RX), at::zeros_like(d_positions.k_RX)};
  const int64_t parts = for_all_rows(call, [&](int64_t part, const Row& row) {
    const at::Tensor q_HLE = row.heads_HLE(qkv.q), k_HLE = row.heads_HLE(qkv.k), v_HLE = row.heads_HLE(qkv.v);
    const at::Tensor pq_HBE = row.buckets_HBE(positions.q_RX), pk_HBE = row.buckets_HBE(positions.k_RX);
    const at::Tensor d_out_HLE = row.heads_HLE(d_out_TX), out_HLE = row.heads_HLE(out_TX);
    const at::Tensor p_HLL = at::exp(row.scores_HLL(q_HLE, k_HLE, pq_HBE, pk_HBE) - row.lse_HL1(lse_HT));
    const at::Tensor d_p_HLL = row.dropped(at::matmul(d_out_HLE, v_HLE.transpose(1, 2)));
    const at::Tensor d_scores_HLL = p_HLL * (d_p_HLL - (d_out_HLE * out_HLE).sum(2, true)) * call.scale;
    const auto by_bucket = [&](const at::Tensor& d_HLL, const at::Tensor& places_HLL) {
      return at::zeros({call.heads, row.length(), pk_HBE.size(1)}, d_HLL.options()).scatter_add_(2, places_HLL, d_HLL);
    };
    const at::Tensor d_to_HLB = by_bucket(d_scores_HLL, row.keys_HLL()),
                     d_from_HLB = by_bucket(d_scores_HLL.transpose(1, 2), row.queries_HLL());
    row.tokens(d.q).copy_(merged_LX(at::matmul(d_scores_HLL, k_HLE) + at::matmul(d_to_HLB, pk_HBE)));
    row.tokens(d.k).copy_(merged_LX(at::matmul(d_scores_HLL.transpose(1, 2), q_HLE) + at::matmul(d_from_HLB, pq_HBE)));
    row.tokens(d.v).copy_(merged_LX(at::matmul(row.dropped(p_HLL).transpose(1, 2), d_out_HLE)));
    const PositionPair& sums = partial[static_cast<size_t>(part)];
    row.buckets(sums.k_RX).add_(merged_LX(at::matmul(d_to_HLB.transpose(1, 2), q_HLE)));
    row.buckets(sums.q_RX).add_(merged_LX(at::matmul(d_from_HLB.transpose(1, 2), k_HLE)));
  });
  for (int64_t part = 0; part < parts; ++part) {
    at::Tensor(d_positions.q_RX).add_(partial[static_cast<size_t>(part)].q_RX);
    at::Tensor(d_positions.k_RX).add_(partial[static_cast<size_t>(part)].k_RX);
  }
}

}  // namespace st
