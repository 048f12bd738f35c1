#pragma once

#include "optim/optimizer.h"

namespace st {

struct AdamWOptions {
  double beta1, beta2, epsilon;
};

// The numbers of one AdamW update, the same for every element of a range: lr / (1 - beta1^t), 1 - lr * weight decay,
// 1 / sqrt(1 - beta2^t).
struct AdamWRates {
  double step_size, keep, inverse_correction2;
};

// AdamW (Loshchilov and Hutter 2019) on flat buffers, as torch.optim.AdamW.
class AdamW : public Optimizer {
 public:
  AdamW(const AdamWOptions& options, int64_t size, const at::Tensor& like);

  void update(const std::vector<UpdateRange>& ranges, int64_t step, double grad_factor,
              const FlatBuffers& flat) override;
  void queue_update(const std::vector<QueuedRange>& ranges, const cuda::UpdateScalars& scalars,
                    const FlatBuffers& flat) override;
  std::vector<std::pair<std::string, at::Tensor>> state() override {
    return {{"exp_avg", exp_avg_}, {"exp_avg_sq", exp_avg_sq_}};
  }
  std::unique_ptr<LazyRows> lazy_rows(Parameters& parameters) override;

  AdamWRates rates(const UpdateRange& range, int64_t step) const;

  // Spans of `width` elements that had no gradient in the last updates.
  struct Late {
    int64_t begin;
    size_t first;  // index of the first missing update; all later ones are missing too
  };
  // Changes each span as the missing updates would have done, bit for bit.
  void replay(const std::vector<AdamWRates>& updates, const std::vector<Late>& spans, int64_t width,
              const FlatBuffers& flat);

 private:
  AdamWOptions options_;
  at::Tensor exp_avg_, exp_avg_sq_;
};

namespace reference {
// Updates one range in ATen operations.
void adamw(const AdamWOptions& options, int64_t step, double lr, double weight_decay, double grad_factor,
           at::Tensor value, at::Tensor grad, at::Tensor exp_avg, at::Tensor exp_avg_sq);
}  // namespace reference

}  // namespace st
