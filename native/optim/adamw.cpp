#include "optim/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "core/parallel.h"
#include "ops/cpu_call.h"

namespace st {

AdamW::AdamW(const Layout& layout, const at::Tensor& like, const AdamWOptions& options)
    : options_(options),
      exp_avg_(at::zeros({layout.trained_end()}, like.options())),
      exp_avg_sq_(at::zeros({layout.trained_end()}, like.options())) {}

void AdamW::update(Parameters& parameters, Gradients& gradients, int64_t step, double lr_decay, double lr_no_decay,
                   double grad_factor) {
  const auto range = [&](int64_t begin, int64_t end, double lr, double weight_decay) {
    if (begin == end) return;
    AdamWOptions options = options_;
    options.weight_decay = weight_decay;
    const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, begin, end - begin); };
    at::Tensor value = part(parameters.flat()), grad = part(gradients.flat()), m = part(exp_avg_),
               v = part(exp_avg_sq_);
    if (!value.is_cpu()) return reference::adamw(options, step, lr, grad_factor, value, grad, m, v);
    with_storage(value.scalar_type(), [&]<typename S>(S) {
      using A = kernels::arithmetic_t<S>;
      const kernels::AdamW<A> call{static_cast<A>(lr),
                                   static_cast<A>(options.beta2),
                                   static_cast<A>(options.epsilon),
                                   static_cast<A>(weight_decay),
                                   static_cast<A>(1 - options.beta1),
                                   static_cast<A>(1 - options.beta2),
                                   static_cast<A>(1 - std::pow(options.beta1, step)),
                                   static_cast<A>(std::sqrt(1 - std::pow(options.beta2, step))),
                                   static_cast<A>(grad_factor)};
      parallel_ranges(end - begin, parallel_parts(end - begin, 1 << 14), [&](int64_t, int64_t first, int64_t last) {
        kernels::table<S>().adamw(call, last - first, data<A>(value) + first, data<A>(grad) + first, data<A>(m) + first,
                                  data<A>(v) + first);
      });
    });
  };
  range(0, parameters.layout.decay_end(), lr_decay, options_.weight_decay);
  range(parameters.layout.decay_end(), parameters.layout.trained_end(), lr_no_decay, 0);
}

namespace reference {

void adamw(const AdamWOptions& options, int64_t step, double lr, double grad_factor, at::Tensor value, at::Tensor grad,
           at::Tensor exp_avg, at::Tensor exp_avg_sq) {
  const at::Tensor g = grad * grad_factor;
  value.mul_(1 - lr * options.weight_decay);
  exp_avg.lerp_(g, 1 - options.beta1);
  exp_avg_sq.mul_(options.beta2).addcmul_(g, g, 1 - options.beta2);
  const at::Tensor denominator =
      (exp_avg_sq.sqrt() / std::sqrt(1 - std::pow(options.beta2, step))).add_(options.epsilon);
  value.addcdiv_(exp_avg, denominator, -lr / (1 - std::pow(options.beta1, step)));
  grad.zero_();
}

}  // namespace reference

}  // namespace st
