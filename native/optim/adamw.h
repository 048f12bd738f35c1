#pragma once

#include "optim/optimizer.h"

namespace st {

struct AdamWOptions {
  double beta1, beta2, epsilon;
};

// AdamW (Loshchilov and Hutter 2019) on flat buffers, as torch.optim.AdamW.
class AdamW : public Optimizer {
 public:
  AdamW(const AdamWOptions& options, int64_t size, const at::Tensor& like);

  void update(const UpdateRange& range, int64_t step, double grad_factor, const at::Tensor& values,
              const at::Tensor& gradients) override;
  std::vector<std::pair<std::string, at::Tensor>> state() override {
    return {{"exp_avg", exp_avg_}, {"exp_avg_sq", exp_avg_sq_}};
  }

 private:
  AdamWOptions options_;
  at::Tensor exp_avg_, exp_avg_sq_;
};

namespace reference {
// One range in ATen operations.
void adamw(const AdamWOptions& options, int64_t step, double lr, double weight_decay, double grad_factor,
           at::Tensor value, at::Tensor grad, at::Tensor exp_avg, at::Tensor exp_avg_sq);
}  // namespace reference

}  // namespace st
