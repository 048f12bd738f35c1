#pragma once

#include "core/parameters.h"

namespace st {

struct AdamWOptions {
  double beta1, beta2, epsilon, weight_decay;
};

// AdamW (Loshchilov and Hutter 2019) on flat buffers, as torch.optim.AdamW: weight decay on the decay range alone.
class AdamW {
 public:
  AdamW(const Layout& layout, const at::Tensor& like, const AdamWOptions& options);

  // The update number `step` (from 1) with gradients times `grad_factor`; sets the gradients to 0.
  void update(Parameters& parameters, Gradients& gradients, int64_t step, double lr_decay, double lr_no_decay,
              double grad_factor);

  at::Tensor& exp_avg() { return exp_avg_; }
  at::Tensor& exp_avg_sq() { return exp_avg_sq_; }

 private:
  AdamWOptions options_;
  at::Tensor exp_avg_, exp_avg_sq_;
};

namespace reference {
// One range in ATen operations.
void adamw(const AdamWOptions& options, int64_t step, double lr, double grad_factor, at::Tensor value, at::Tensor grad,
           at::Tensor exp_avg, at::Tensor exp_avg_sq);
}  // namespace reference

}  // namespace st
