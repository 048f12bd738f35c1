#include <ATen/TensorOperators.h>
#include <ATen/ops/softplus.h>

#include "losses/batch_triplets.h"

namespace st {

namespace {

// Mean over the rows of log(1 + exp(d(a, hardest p) - d(a, hardest n))) (Hermans et al. 2017).
class BatchHardSoftMarginTriplet : public BatchTriplets {
 public:
  explicit BatchHardSoftMarginTriplet(const Config& spec) : BatchTriplets(spec, "BatchHardSoftMarginTripletLoss", {}) {}

  LossValue forward(const LossInput& input) const override {
    const auto [positive_B1, negative_B1] = hardest(input);
    return at::softplus(positive_B1 - negative_B1).mean();
  }
};

}  // namespace

std::unique_ptr<Loss> make_batch_hard_soft_margin_triplet(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<BatchHardSoftMarginTriplet>(spec);
}

}  // namespace st
