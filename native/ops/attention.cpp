#include "ops/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sum.h>

#include <atomic>
#include <cmath>
#include <numeric>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"
#include "ops/cuda.h"
#include "ops/dropout.h"

namespace st {

namespace {

// Calls work(item) for every (row, head), the longest rows first, each thread taking the next one when it is free. No
// two items share an output, so the order does not matter to the result.
template <typename Work>
void for_each_head(const PackedBatch& batch, int64_t heads, const Work& work) {
  std::vector<int32_t> order(batch.rows());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return batch.length(a) > batch.length(b); });
  const int64_t items = batch.rows() * heads;
  std::atomic<int64_t> next{0};
  parallel_ranges(items, parallel_parts(items, 4), [&](int64_t, int64_t, int64_t) {
    for (int64_t i = next.fetch_add(1); i < items; i = next.fetch_add(1)) {
      const int32_t row = order[i / heads];
      work(kernels::AttentionItem{batch.offsets[row], batch.length(row), row, static_cast<int32_t>(i % heads)});
    }
  });
}

}  // namespace

void attention(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D, at::Tensor out_TD,
               at::Tensor lse_TH) {
  const ProfileScope scope("attention");
  if (!qkv_T3D.is_cpu()) return cuda::attention(input, dropout, heads, qkv_T3D, out_TD, lse_TH);
  with_storage(qkv_T3D.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const kernels::Attention<S> call{heads,           out_TD.size(1) / heads, dropout, data<S>(qkv_T3D),
                                     data<S>(out_TD), data<A>(lse_TH),        nullptr, nullptr};
    const kernels::Table<S>& table = kernels::table<S>();
    for_each_head(input.batch, heads, [&](const kernels::AttentionItem& item) {
      table.attention(call, item, thread_scratch<A>(table.attention_scratch(item.length, call.head_dim, false)));
    });
  });
}

void attention_backward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
                        const at::Tensor& out_TD, const at::Tensor& lse_TH, const at::Tensor& d_out_TD,
                        at::Tensor d_qkv_T3D) {
  const ProfileScope scope("attention, backward");
  if (!qkv_T3D.is_cpu()) {
    return cuda::attention_backward(input, dropout, heads, qkv_T3D, out_TD, lse_TH, d_out_TD, d_qkv_T3D);
  }
  with_storage(qkv_T3D.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const kernels::Attention<S> call{heads,           out_TD.size(1) / heads, dropout,           data<S>(qkv_T3D),
                                     data<S>(out_TD), data<A>(lse_TH),        data<S>(d_out_TD), data<S>(d_qkv_T3D)};
    const kernels::Table<S>& table = kernels::table<S>();
    for_each_head(input.batch, heads, [&](const kernels::AttentionItem& item) {
      table.attention_backward(call, item,
                               thread_scratch<A>(table.attention_scratch(item.length, call.head_dim, true)));
    });
  });
}

namespace reference {

namespace {

// One row's heads: [H, L, E] from a [T, H * E] view.
at::Tensor heads_HLE(const at::Tensor& x_TD, int64_t start, int64_t length, int64_t heads, at::ScalarType type) {
  return x_TD.narrow(0, start, length).to(type).view({length, heads, -1}).transpose(0, 1);
}

at::Tensor merged_LD(const at::Tensor& x_HLE) {
  return x_HLE.transpose(0, 1).reshape({x_HLE.size(1), -1});
}

struct Row {
  at::Tensor q_HLE, k_HLE, v_HLE, scores_HLL, multiplier_HLL;
  double factor;
};

Row row_of(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D, int64_t row) {
  const int64_t start = input.batch.offsets[row], length = input.batch.length(row), width = qkv_T3D.size(1) / 3;
  const at::ScalarType type = qkv_T3D.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto part = [&](int64_t i) {
    return heads_HLE(qkv_T3D.narrow(1, i * width, width).contiguous(), start, length, heads, type);
  };
  Row out{part(0), part(1), part(2), {}, {}, 1 / std::sqrt(static_cast<double>(width / heads))};
  out.scores_HLL = at::matmul(out.q_HLE, out.k_HLE.transpose(1, 2)) * out.factor;
  if (dropout.active())
    out.multiplier_HLL = dropout_multiplier_HLL(dropout, row, heads, length, out.scores_HLL.options());
  return out;
}

}  // namespace

void attention(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D, at::Tensor out_TD,
               at::Tensor lse_TH) {
  for (int64_t row = 0; row < input.batch.rows(); ++row) {
    const int64_t start = input.batch.offsets[row], length = input.batch.length(row);
    const Row r = row_of(input, dropout, heads, qkv_T3D, row);
    const at::Tensor lse_HL1 = r.scores_HLL.logsumexp(2, true);
    at::Tensor p_HLL = at::exp(r.scores_HLL - lse_HL1);
    if (dropout.active()) p_HLL = p_HLL * r.multiplier_HLL;
    out_TD.narrow(0, start, length).copy_(merged_LD(at::matmul(p_HLL, r.v_HLE)));
    if (lse_TH.defined()) lse_TH.narrow(0, start, length).copy_(lse_HL1.squeeze(2).t());
  }
}

void attention_backward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
                        const at::Tensor& out_TD, const at::Tensor& lse_TH, const at::Tensor& d_out_TD,
                        at::Tensor d_qkv_T3D) {
  const int64_t width = out_TD.size(1);
  for (int64_t row = 0; row < input.batch.rows(); ++row) {
    const int64_t start = input.batch.offsets[row], length = input.batch.length(row);
    const Row r = row_of(input, dropout, heads, qkv_T3D, row);
    const at::ScalarType type = r.q_HLE.scalar_type();
    const at::Tensor p_HLL = at::exp(r.scores_HLL - lse_TH.narrow(0, start, length).t().unsqueeze(2));
    const at::Tensor dropped_HLL = dropout.active() ? p_HLL * r.multiplier_HLL : p_HLL;
    const at::Tensor d_out_HLE = heads_HLE(d_out_TD, start, length, heads, type);
    const at::Tensor out_HLE = heads_HLE(out_TD, start, length, heads, type);
    at::Tensor d_p_HLL = at::matmul(d_out_HLE, r.v_HLE.transpose(1, 2));
    if (dropout.active()) d_p_HLL = d_p_HLL * r.multiplier_HLL;
    const at::Tensor d_scores_HLL = p_HLL * (d_p_HLL - (d_out_HLE * out_HLE).sum(2, true)) * r.factor;
    at::Tensor to = d_qkv_T3D.narrow(0, start, length);
    to.narrow(1, 0, width).copy_(merged_LD(at::matmul(d_scores_HLL, r.k_HLE)));
    to.narrow(1, width, width).copy_(merged_LD(at::matmul(d_scores_HLL.transpose(1, 2), r.q_HLE)));
    to.narrow(1, 2 * width, width).copy_(merged_LD(at::matmul(dropped_HLL.transpose(1, 2), d_out_HLE)));
  }
}

}  // namespace reference

}  // namespace st
