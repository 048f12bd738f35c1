#include "ops/pooling.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/split_with_sizes.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"
#include "ops/similarity.h"

namespace st {

namespace {

constexpr std::array<const char*, 6> kModes = {"cls",          "max",      "mean", "mean_sqrt_len_tokens",
                                               "weightedmean", "lasttoken"};

at::Tensor vector_of(const std::vector<int64_t>& values, at::Device device) {
  at::Tensor out = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.data_ptr<int64_t>());
  return out.to(device);
}

// Where autograd need not follow: a text or two are encoded in no more time than a few of ATen's calls take.
bool on_kernels(const at::Tensor& x) {
  return x.is_cpu() && x.is_contiguous() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) &&
         !(at::GradMode::is_enabled() && x.requires_grad());
}

constexpr int64_t kGrain = 32;  // rows that are worth a thread

// The tokens of each row that are pooled.
struct Span {
  int64_t first, end;
};

class Pooling {
 public:
  Pooling(const at::Tensor& x_TD, const PackedBatch& batch, bool include_prompt) : x_TD_(x_TD) {
    for (int64_t row = 0; row < batch.rows(); ++row) {
      const int64_t start = batch.offsets[row], length = batch.length(row);
      const bool skips = !include_prompt && !batch.prompt_lengths.empty();
      const int64_t prompt = skips ? std::min<int64_t>(batch.prompt_lengths[row], length - 1) : 0;
      spans_.push_back({start + prompt, start + length});
      starts_.push_back(start);
    }
  }

  at::Tensor pool(const std::string& mode) const {
    if (mode == "cls") return select([](const Span& span) { return span.first; });
    if (mode == "lasttoken") return select([](const Span& span) { return span.end - 1; });
    if (mode == "max") return highest();
    if (mode == "mean") return weighted_sum([](double, double first, double end) { return 1 / (end - first); });
    if (mode == "mean_sqrt_len_tokens") {
      return weighted_sum([](double, double first, double end) { return 1 / std::sqrt(end - first); });
    }
    // weightedmean: weights 1, 2, ... by position in the row
    return weighted_sum(
        [](double i, double first, double end) { return (i + 1) / ((first + 1 + end) * (end - first) / 2); });
  }

 private:
  template <typename Index>
  at::Tensor select(const Index& index) const {
    std::vector<int64_t> tokens;
    for (const Span& span : spans_) tokens.push_back(index(span));
    return x_TD_.index_select(0, vector_of(tokens, x_TD_.device()));
  }

  at::Tensor highest() const {
    std::vector<at::Tensor> rows;
    for (const at::Tensor& row_LD : x_TD_.split_with_sizes(lengths())) {
      const Span& span = spans_[rows.size()];
      const int64_t skipped = span.first - starts_[rows.size()];
      rows.push_back(std::get<0>(row_LD.narrow(0, skipped, span.end - span.first).max(0)));
    }
    return at::stack(rows);
  }

  // Sum of weight(position, first pooled position, end) * embedding over the pooled tokens of each row.
  template <typename Weight>
  at::Tensor weighted_sum(const Weight& weight) const {
    if (on_kernels(x_TD_)) return weighted_sum_at_once(weight);
    std::vector<int64_t> row_of(x_TD_.size(0));
    at::Tensor weights_T1 = at::zeros({x_TD_.size(0), 1}, at::kDouble);
    double* weights = weights_T1.data_ptr<double>();
    for (size_t row = 0; row < spans_.size(); ++row) {
      for (int64_t t = starts_[row]; t < spans_[row].end; ++t) {
        row_of[t] = static_cast<int64_t>(row);
        const int64_t start = starts_[row];
        if (t >= spans_[row].first) weights[t] = weight(t - start, spans_[row].first - start, spans_[row].end - start);
      }
    }
    const at::Tensor zeros = at::zeros({static_cast<int64_t>(spans_.size()), x_TD_.size(1)}, x_TD_.options());
    return zeros.index_add(0, vector_of(row_of, x_TD_.device()), x_TD_ * weights_T1.to(x_TD_.options()));
  }

  // The same without autograd, in one pass over the tokens.
  template <typename Weight>
  at::Tensor weighted_sum_at_once(const Weight& weight) const {
    const int64_t rows = static_cast<int64_t>(spans_.size()), width = x_TD_.size(1);
    at::Tensor out_RD = at::empty({rows, width}, x_TD_.options());
    with_storage(x_TD_.scalar_type(), [&]<typename S>(S) {
      using A = kernels::arithmetic_t<S>;
      parallel_ranges(rows, parallel_parts(rows, kGrain), [&](int64_t, int64_t begin, int64_t end) {
        std::vector<A> weights;
        for (int64_t row = begin; row < end; ++row) {
          const int64_t start = starts_[row], first = spans_[row].first - start, last = spans_[row].end - start;
          weights.clear();
          for (int64_t i = first; i < last; ++i) weights.push_back(static_cast<A>(weight(i, first, last)));
          kernels::table<A>().weighted_sum(width, last - first, weights.data(),
                                           data<A>(x_TD_) + (start + first) * width, data<A>(out_RD) + row * width);
        }
      });
    });
    return out_RD;
  }

  std::vector<int64_t> lengths() const {
    std::vector<int64_t> out;
    for (size_t row = 0; row < spans_.size(); ++row) out.push_back(spans_[row].end - starts_[row]);
    return out;
  }

  const at::Tensor& x_TD_;
  std::vector<Span> spans_;
  std::vector<int64_t> starts_;
};

}  // namespace

void check_pooling_modes(const std::vector<std::string>& modes) {
  check(!modes.empty(), "ERR_INVALID_ARGUMENT", "Expected at least one pooling mode");
  for (const std::string& mode : modes) {
    check(std::find(kModes.begin(), kModes.end(), mode) != kModes.end(), "ERR_NOT_IMPLEMENTED", "Pooling mode ", mode,
          " is not built: expected cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken");
  }
}

at::Tensor normalized(const at::Tensor& x_RD) {
  if (!on_kernels(x_RD)) return normalize_rows(x_RD);
  at::Tensor out_RD = x_RD.clone();
  with_storage(x_RD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    kernels::table<A>().normalize(x_RD.size(1), x_RD.size(0), data<A>(out_RD));
  });
  return out_RD;
}

at::Tensor pool(const at::Tensor& x_TD, const PackedBatch& batch, const std::vector<std::string>& modes,
                bool include_prompt) {
  const ProfileScope scope("pooling");
  const Pooling pooling(x_TD, batch, include_prompt);
  std::vector<at::Tensor> parts;
  for (const std::string& mode : modes) parts.push_back(pooling.pool(mode));
  return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
}

}  // namespace st
