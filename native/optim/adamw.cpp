#include "optim/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sqrt.h>

#include <cmath>

#include "core/memory.h"
#include "core/yield.h"
#include "ops/cpu_call.h"
#include "optim/lazy_rows.h"
#include "optim/shares.h"

namespace st {

AdamW::AdamW(const AdamWOptions& options, int64_t size, const at::Tensor& like)
    : options_(options),
      exp_avg_(zeros_in_huge_pages({size}, like.scalar_type(), like.device())),
      exp_avg_sq_(zeros_in_huge_pages({size}, like.scalar_type(), like.device())) {}

std::unique_ptr<LazyRows> AdamW::lazy_rows(Parameters& parameters) {
  // Only under this condition does an update without a gradient move a value less than the previous one.
  const bool fades = options_.beta1 * options_.beta1 <= options_.beta2 && options_.epsilon >= 1e-12;
  if (!fades || !parameters.trains_table() || !parameters.flat().is_cpu()) return nullptr;
  return std::make_unique<LazyRows>(*this, parameters);
}

AdamWRates AdamW::rates(const UpdateRange& range, int64_t step) const {
  const auto t = static_cast<double>(step);
  return {range.lr / (1 - std::pow(options_.beta1, t)), 1 - range.lr * range.weight_decay,
          1 / std::sqrt(1 - std::pow(options_.beta2, t))};
}

namespace {

template <typename A>
kernels::AdamW<A> call_of(const AdamWOptions& options, const AdamWRates& rates, double grad_factor) {
  return {static_cast<A>(rates.step_size),   static_cast<A>(rates.keep),
          static_cast<A>(options.beta2),     static_cast<A>(1 - options.beta1),
          static_cast<A>(1 - options.beta2), static_cast<A>(rates.inverse_correction2),
          static_cast<A>(options.epsilon),   static_cast<A>(grad_factor)};
}

// The kernels' storage type: the copy's, if there is one.
at::ScalarType storage_of(const FlatBuffers& flat) {
  return (flat.copy.defined() ? flat.copy : flat.values).scalar_type();
}

template <typename T>
T* at_offset(const at::Tensor& flat, int64_t offset) {
  return flat.defined() ? data<T>(flat) + offset : nullptr;
}

}  // namespace

void AdamW::update(const std::vector<UpdateRange>& ranges, int64_t step, double grad_factor, const FlatBuffers& flat) {
  with_storage(storage_of(flat), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    std::vector<kernels::AdamW<A>> calls;
    for (const UpdateRange& range : ranges) calls.push_back(call_of<A>(options_, rates(range, step), grad_factor));
    for (const std::vector<Piece>& group : groups_of(pieces_of(ranges))) {
      parallel_pieces(group, [&](int64_t i) {
        const auto& [range, at, end] = group[i];
        kernels::table<S>().adamw(calls[range], end - at, data<A>(flat.values) + at, data<A>(flat.gradients) + at,
                                  data<A>(exp_avg_) + at, data<A>(exp_avg_sq_) + at, at_offset<S>(flat.copy, at));
      });
      yield_here();
    }
  });
}

void AdamW::queue_update(const std::vector<QueuedRange>& ranges, const cuda::UpdateScalars& scalars,
                         const FlatBuffers& flat) {
  for (const QueuedRange& range : ranges) {
    const auto part = [&](const at::Tensor& whole) {
      return whole.defined() ? whole.narrow(0, range.begin, range.end - range.begin) : whole;
    };
    cuda::adamw({range.weight_decay, options_.beta1, options_.beta2, options_.epsilon}, range.rate, scalars,
                {part(flat.values), part(flat.gradients), part(exp_avg_), part(exp_avg_sq_), part(flat.copy)});
  }
}

void AdamW::replay(const std::vector<AdamWRates>& updates, const std::vector<Late>& spans, int64_t width,
                   const FlatBuffers& flat) {
  with_storage(storage_of(flat), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    std::vector<kernels::AdamW<A>> calls;
    for (const AdamWRates& rates : updates) calls.push_back(call_of<A>(options_, rates, 1));
    std::vector<kernels::AdamWBound<A>> bounds(calls.size());
    std::vector<char> decays(calls.size());
    for (size_t i = calls.size(); i-- > 0;) {
      bounds[i] = {calls[i].step_size, calls[i].inverse_correction2};
      decays[i] = calls[i].keep != 1;
      if (i + 1 == calls.size()) continue;
      bounds[i].step_size = std::max(bounds[i].step_size, bounds[i + 1].step_size);
      bounds[i].inverse_correction2 = std::min(bounds[i].inverse_correction2, bounds[i + 1].inverse_correction2);
      decays[i] = decays[i] || decays[i + 1];
    }
    // Most of the time is spent on the updates before a row's values rest: a hundred or two.
    const auto cost = [&](int64_t i) {
      return width * std::min<int64_t>(static_cast<int64_t>(calls.size() - spans[i].first), 128);
    };
    parallel_shares(static_cast<int64_t>(spans.size()), 1 << 15, cost, [&](int64_t i) {
      const auto& [begin, first] = spans[i];
      const kernels::Replay<A> call{calls.data() + first, bounds.data() + first,
                                    static_cast<int64_t>(calls.size() - first), decays[first] != 0};
      kernels::table<S>().adamw_replay(call, width, data<A>(flat.values) + begin, data<A>(exp_avg_) + begin,
                                       data<A>(exp_avg_sq_) + begin, at_offset<S>(flat.copy, begin));
    });
  });
}

namespace reference {

void adamw(const AdamWOptions& options, int64_t step, double lr, double weight_decay, double grad_factor,
           at::Tensor value, at::Tensor grad, at::Tensor exp_avg, at::Tensor exp_avg_sq) {
  const at::Tensor g = grad * grad_factor;
  value.mul_(1 - lr * weight_decay);
  exp_avg.lerp_(g, 1 - options.beta1);
  exp_avg_sq.mul_(options.beta2).addcmul_(g, g, 1 - options.beta2);
  const at::Tensor denominator =
      (exp_avg_sq.sqrt() / std::sqrt(1 - std::pow(options.beta2, step))).add_(options.epsilon);
  value.addcdiv_(exp_avg, denominator, -lr / (1 - std::pow(options.beta1, step)));
  grad.zero_();
}

}  // namespace reference

}  // namespace st
