#include "optim/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "core/parallel.h"
#include "ops/cpu_call.h"
#include "ops/cuda.h"

namespace st {

AdamW::AdamW(const AdamWOptions& options, int64_t size, const at::Tensor& like)
    : options_(options), exp_avg_(at::zeros({size}, like.options())), exp_avg_sq_(at::zeros({size}, like.options())) {}

void AdamW::update(const UpdateRange& range, int64_t step, double grad_factor, const at::Tensor& values,
                   const at::Tensor& gradients) {
  const int64_t count = range.end - range.begin;
  const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, range.begin, count); };
  at::Tensor value = part(values), grad = part(gradients), m = part(exp_avg_), v = part(exp_avg_sq_);
  if (!value.is_cpu()) {
    return cuda::adamw(
        {range.lr, range.weight_decay, options_.beta1, options_.beta2, options_.epsilon, step, grad_factor}, value,
        grad, m, v);
  }
  with_storage(value.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const kernels::AdamW<A> call{static_cast<A>(range.lr),
                                 static_cast<A>(options_.beta2),
                                 static_cast<A>(options_.epsilon),
                                 static_cast<A>(range.weight_decay),
                                 static_cast<A>(1 - options_.beta1),
                                 static_cast<A>(1 - options_.beta2),
                                 static_cast<A>(1 - std::pow(options_.beta1, step)),
                                 static_cast<A>(std::sqrt(1 - std::pow(options_.beta2, step))),
                                 static_cast<A>(grad_factor)};
    parallel_ranges(count, parallel_parts(count, 1 << 14), [&](int64_t, int64_t first, int64_t last) {
      kernels::table<S>().adamw(call, last - first, data<A>(value) + first, data<A>(grad) + first, data<A>(m) + first,
                                data<A>(v) + first);
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
