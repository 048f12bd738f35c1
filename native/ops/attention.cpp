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

// Heads that a thread takes at once: for short rows, taking them one by one would cost as much as the work.
int64_t heads_at_once(int64_t length) {
  return length <= 24 ? 4 : length <= 48 ? 2 : 1;
}

int64_t words_of_head(int64_t length) {
  return (length + 15) / 16 * length;
}

// Calls work(item) for every (row, head), the longest rows first, each thread taking the next ones when it is free. No
// two items share an output, so the order does not matter to the result.
template <typename Work>
void for_each_head(const PackedBatch& batch, int64_t heads, int64_t head_dim, const Work& work) {
  struct Job {
    int32_t row, head;
    int64_t mask;
  };
  std::vector<Job> jobs;
  int64_t mask = 0, cost = 0;
  for (int32_t row = 0; row < batch.rows(); ++row) {
    const int64_t length = batch.length(row), step = heads_at_once(length);
    for (int64_t head = 0; head < heads; head += step) jobs.push_back({row, static_cast<int32_t>(head), mask});
    mask += heads * words_of_head(length);
    cost += heads * head_dim * length * (length + 16);
  }
  std::stable_sort(jobs.begin(), jobs.end(),
                   [&](const Job& a, const Job& b) { return batch.length(a.row) > batch.length(b.row); });
  constexpr int64_t kGrain = 1 << 18;  // about ten times what it costs to start a parallel region
  const int64_t count = jobs.size(), parts = std::min(count, parallel_parts(cost, kGrain));
  std::atomic<int64_t> next{0};
  parallel_ranges(parts, parts, [&](int64_t, int64_t, int64_t) {
    for (int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      const Job& job = jobs[i];
      const int64_t length = batch.length(job.row), end = std::min(heads, job.head + heads_at_once(length));
      for (int32_t head = job.head; head < end; ++head) {
        work(kernels::AttentionItem{batch.offsets[job.row], length, job.mask + head * words_of_head(length), job.row,
                                    head});
      }
    }
  });
}

void check_mask(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& mask) {
  if (!dropout.active()) return;
  const int64_t words = attention_mask_words(input.batch, heads);
  check(mask.defined() && mask.numel() >= words && mask.scalar_type() == at::kShort, "ERR_LIBTORCH", "Expected ", words,
        " words of 16 bits for the mask of attention but found ", mask.defined() ? mask.numel() : 0);
}

}  // namespace

int64_t attention_mask_words(const PackedBatch& batch, int64_t heads) {
  int64_t words = 0;
  for (int64_t row = 0; row < batch.rows(); ++row) words += heads * words_of_head(batch.length(row));
  return words;
}

int64_t attention_mask_words(const Input& input, int64_t heads) {
  constexpr int64_t kState = 8;
  return input.ids_T.is_cpu() ? attention_mask_words(input.batch, heads) : kState;
}

void attention(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D, at::Tensor out_TD,
               at::Tensor lse_HT, at::Tensor mask) {
  const ProfileScope scope("attention");
  if (!qkv_T3D.is_cpu()) return cuda::attention(input, dropout, heads, qkv_T3D, out_TD, lse_HT, mask);
  check_mask(input, dropout, heads, mask);
  with_storage(qkv_T3D.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const kernels::Attention<S> call{.tokens = input.tokens(),
                                     .heads = heads,
                                     .head_dim = out_TD.size(1) / heads,
                                     .dropout = dropout,
                                     .qkv_T3HE = data<S>(qkv_T3D),
                                     .out_THE = data<S>(out_TD),
                                     .lse_HT = data<A>(lse_HT),
                                     .mask = data<uint16_t>(mask),
                                     .d_out_THE = nullptr,
                                     .d_qkv_T3HE = nullptr,
                                     .d_bias_R3HE = nullptr};
    const kernels::Table<S>& table = kernels::table<S>();
    for_each_head(input.batch, heads, call.head_dim, [&](const kernels::AttentionItem& item) {
      table.attention(call, item, thread_scratch<A>(table.attention_scratch(item.length, call.head_dim, false)));
    });
  });
}

void attention_backward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
                        const at::Tensor& out_TD, const at::Tensor& lse_HT, const at::Tensor& mask,
                        const at::Tensor& d_out_TD, at::Tensor d_qkv_T3D, at::Tensor d_bias_3D) {
  const ProfileScope scope("attention, backward");
  if (!qkv_T3D.is_cpu()) {
    return cuda::attention_backward(input, dropout, heads, qkv_T3D, out_TD, lse_HT, mask, d_out_TD, d_qkv_T3D,
                                    d_bias_3D);
  }
  check_mask(input, dropout, heads, mask);
  with_storage(qkv_T3D.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    std::vector<A> d_bias_R3D(input.batch.rows() * qkv_T3D.size(1));
    const kernels::Attention<S> call{.tokens = input.tokens(),
                                     .heads = heads,
                                     .head_dim = out_TD.size(1) / heads,
                                     .dropout = dropout,
                                     .qkv_T3HE = data<S>(qkv_T3D),
                                     .out_THE = data<S>(out_TD),
                                     .lse_HT = data<A>(lse_HT),
                                     .mask = data<uint16_t>(mask),
                                     .d_out_THE = data<S>(d_out_TD),
                                     .d_qkv_T3HE = data<S>(d_qkv_T3D),
                                     .d_bias_R3HE = d_bias_R3D.data()};
    const kernels::Table<S>& table = kernels::table<S>();
    for_each_head(input.batch, heads, call.head_dim, [&](const kernels::AttentionItem& item) {
      table.attention_backward(call, item,
                               thread_scratch<A>(table.attention_scratch(item.length, call.head_dim, true)));
    });
    if (d_bias_3D.defined()) add_partials(d_bias_R3D, {d_bias_3D});
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
               at::Tensor lse_HT, at::Tensor) {
  for (int64_t row = 0; row < input.batch.rows(); ++row) {
    const int64_t start = input.batch.offsets[row], length = input.batch.length(row);
    const Row r = row_of(input, dropout, heads, qkv_T3D, row);
    const at::Tensor lse_HL1 = r.scores_HLL.logsumexp(2, true);
    at::Tensor p_HLL = at::exp(r.scores_HLL - lse_HL1);
    if (dropout.active()) p_HLL = p_HLL * r.multiplier_HLL;
    out_TD.narrow(0, start, length).copy_(merged_LD(at::matmul(p_HLL, r.v_HLE)));
    if (lse_HT.defined()) lse_HT.narrow(1, start, length).copy_(lse_HL1.squeeze(2));
  }
}

void attention_backward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
                        const at::Tensor& out_TD, const at::Tensor& lse_HT, const at::Tensor&,
                        const at::Tensor& d_out_TD, at::Tensor d_qkv_T3D, at::Tensor d_bias_3D) {
  const int64_t width = out_TD.size(1);
  for (int64_t row = 0; row < input.batch.rows(); ++row) {
    const int64_t start = input.batch.offsets[row], length = input.batch.length(row);
    const Row r = row_of(input, dropout, heads, qkv_T3D, row);
    const at::ScalarType type = r.q_HLE.scalar_type();
    const at::Tensor p_HLL = at::exp(r.scores_HLL - lse_HT.narrow(1, start, length).unsqueeze(2));
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
  if (d_bias_3D.defined()) d_bias_3D.add_(d_qkv_T3D.sum(at::IntArrayRef{0}, false, d_bias_3D.scalar_type()));
}

}  // namespace reference

}  // namespace st
