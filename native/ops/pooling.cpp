#include "ops/pooling.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"
#include "ops/pooled_tokens.h"
#include "ops/similarity.h"

namespace st {

namespace {

constexpr std::array<const char*, 6> kModes = {"cls",          "max",      "mean", "mean_sqrt_len_tokens",
                                               "weightedmean", "lasttoken"};  // in the order of PoolingMode

constexpr int64_t kGrain = 32;  // rows that are worth a thread

bool has_pooling_kernels(const at::Tensor& x) {
  return x.is_cpu() && x.is_contiguous() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

// Whether autograd will request a gradient.
bool is_followed(const at::Tensor& x) {
  return at::GradMode::is_enabled() && x.requires_grad();
}

// The pooling data of every row. Lives from the forward to the backward pass.
struct Plan : torch::CustomClassHolder {
  std::vector<PooledTokens> rows;
  std::vector<PoolingMode> modes;

  // Calls work(row, the mode's index, the tokens that count, their weights). No weights for max and for no tokens.
  template <typename A, typename Work>
  void for_each(int64_t begin, int64_t end, const Work& work) const {
    std::vector<A> weights;
    for (int64_t row = begin; row < end; ++row) {
      for (size_t k = 0; k < modes.size(); ++k) {
        PooledTokens tokens = rows[row];
        // The weights of one token in the sums.
        if (modes[k] == PoolingMode::kCls) tokens.end = tokens.first + 1;
        if (modes[k] == PoolingMode::kLastToken) tokens.first = tokens.end - 1;
        weights.clear();
        for (int64_t t = tokens.first; modes[k] != PoolingMode::kMax && t < tokens.end; ++t) {
          weights.push_back(static_cast<A>(pooling_weight(modes[k], tokens, t)));
        }
        work(row, static_cast<int64_t>(k), tokens, weights);
      }
    }
  }
};

// [rows, modes * D]. highest_RMD (int32; undefined: not kept): for max, the number of the token among those that count.
at::Tensor pool_rows(const at::Tensor& x_TD, const Plan& plan, const at::Tensor& highest_RMD) {
  const int64_t rows = static_cast<int64_t>(plan.rows.size()), modes = static_cast<int64_t>(plan.modes.size());
  const int64_t width = x_TD.size(1);
  at::Tensor out_RMD = at::empty({rows, modes * width}, x_TD.options());
  with_storage(x_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    parallel_ranges(rows, parallel_parts(rows, kGrain), [&](int64_t, int64_t begin, int64_t end) {
      plan.for_each<A>(begin, end,
                       [&](int64_t row, int64_t k, const PooledTokens& tokens, const std::vector<A>& weights) {
                         const int64_t count = tokens.end - tokens.first, place = (row * modes + k) * width;
                         const A* x = data<A>(x_TD) + tokens.first * width;
                         if (plan.modes[k] == PoolingMode::kMax) {
                           int32_t* highest = highest_RMD.defined() ? data<int32_t>(highest_RMD) + place : nullptr;
                           kernels::table<A>().highest(width, count, x, data<A>(out_RMD) + place, highest);
                         } else {
                           kernels::table<A>().weighted_sum(width, count, weights.data(), x, data<A>(out_RMD) + place);
                         }
                       });
    });
  });
  return out_RMD;
}

at::Tensor pool_rows_backward(const at::Tensor& d_out_RMD, const Plan& plan, const at::Tensor& highest_RMD,
                              int64_t width) {
  const int64_t rows = static_cast<int64_t>(plan.rows.size()), modes = static_cast<int64_t>(plan.modes.size());
  at::Tensor d_x_TD = at::empty({plan.rows.back().end, width}, d_out_RMD.options());
  with_storage(d_out_RMD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    parallel_ranges(rows, parallel_parts(rows, kGrain), [&](int64_t, int64_t begin, int64_t end) {
      plan.for_each<A>(
          begin, end, [&](int64_t row, int64_t k, const PooledTokens& tokens, const std::vector<A>& weights) {
            A* d_x = data<A>(d_x_TD);
            if (k == 0) std::fill(d_x + plan.rows[row].start * width, d_x + plan.rows[row].end * width, A(0));
            d_x += tokens.first * width;
            const int64_t place = (row * modes + k) * width;
            const A* d_out = data<A>(d_out_RMD) + place;
            if (plan.modes[k] == PoolingMode::kMax) {
              const int32_t* highest = data<int32_t>(highest_RMD) + place;
              for (int64_t i = 0; i < width; ++i) d_x[highest[i] * width + i] += d_out[i];
            } else {
              kernels::table<A>().weighted_sum_backward(width, tokens.end - tokens.first, weights.data(), d_out, d_x);
            }
          });
    });
  });
  return d_x_TD;
}

struct PoolFunction : torch::autograd::Function<PoolFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x_TD,
                            const c10::intrusive_ptr<Plan>& plan) {
    at::Tensor highest_RMD;
    if (std::find(plan->modes.begin(), plan->modes.end(), PoolingMode::kMax) != plan->modes.end()) {
      highest_RMD = at::empty(
          {static_cast<int64_t>(plan->rows.size()), static_cast<int64_t>(plan->modes.size()) * x_TD.size(1)}, at::kInt);
    }
    context->save_for_backward({highest_RMD});
    context->saved_data["plan"] = c10::IValue::make_capsule(plan);
    context->saved_data["width"] = x_TD.size(1);
    return pool_rows(x_TD, *plan, highest_RMD);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_out) {
    const ProfileScope scope("pooling, backward");
    const c10::intrusive_ptr<torch::CustomClassHolder> plan = context->saved_data["plan"].toCapsule();
    return {pool_rows_backward(d_out[0].contiguous(), static_cast<const Plan&>(*plan),
                               context->get_saved_variables()[0], context->saved_data["width"].toInt()),
            at::Tensor()};
  }
};

}  // namespace

PoolingMode parse_pooling_mode(const std::string& name) {
  const auto found = std::find(kModes.begin(), kModes.end(), name);
  check(found != kModes.end(), "ERR_NOT_IMPLEMENTED", "Pooling mode ", name,
        " is not built: expected cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken");
  return static_cast<PoolingMode>(found - kModes.begin());
}

void check_pooling_modes(const std::vector<std::string>& modes) {
  constexpr size_t kMost = 64;  // each widens the embedding
  check(!modes.empty(), "ERR_INVALID_ARGUMENT", "Expected at least one pooling mode");
  check(modes.size() <= kMost, "ERR_INVALID_MODEL", "Expected at most ", kMost, " pooling modes but found ",
        modes.size());
  for (const std::string& mode : modes) parse_pooling_mode(mode);
}

std::vector<PooledTokens> pooled_tokens(const Rows& batch, bool include_prompt) {
  std::vector<PooledTokens> out;
  for (int64_t row = 0; row < batch.rows(); ++row) {
    const int64_t start = batch.offsets[row], length = batch.length(row);
    const bool skips = !include_prompt && !batch.prompt_lengths.empty();
    const int64_t prompt =
        skips ? std::clamp<int64_t>(batch.prompt_lengths[row], 0, std::max<int64_t>(length - 1, 0)) : 0;
    out.push_back({start, start + prompt, start + length});
  }
  return out;
}

at::Tensor pool(const at::Tensor& x_TD, const Rows& batch, const std::vector<std::string>& modes, bool include_prompt) {
  const ProfileScope scope("pooling");
  if (!has_pooling_kernels(x_TD)) return reference::pool(x_TD, batch, modes, include_prompt);
  const auto plan = c10::make_intrusive<Plan>();
  plan->rows = pooled_tokens(batch, include_prompt);
  for (const std::string& mode : modes) plan->modes.push_back(parse_pooling_mode(mode));
  return is_followed(x_TD) ? PoolFunction::apply(x_TD, plan) : pool_rows(x_TD, *plan, {});
}

at::Tensor normalized(const at::Tensor& x_RD) {
  if (!has_pooling_kernels(x_RD) || is_followed(x_RD)) return normalize_rows(x_RD);
  at::Tensor out_RD = x_RD.clone();
  with_storage(x_RD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    kernels::table<A>().normalize(x_RD.size(1), x_RD.size(0), data<A>(out_RD));
  });
  return out_RD;
}

}  // namespace st
