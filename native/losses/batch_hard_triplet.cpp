#include <ATen/TensorOperators.h>
#include <ATen/ops/masked_fill.h>

#include "losses/batch_triplets.h"

namespace st {

namespace {

// Mean over the rows of max(d(a, hardest p) - d(a, hardest n) + margin, 0) (Hermans et al. 2017).
class BatchHardTriplet : public BatchTriplets {
 public:
  explicit BatchHardTriplet(const Config& spec)
      : BatchTriplets(spec, "BatchHardTripletLoss", {"margin"}), margin_(spec.number("margin", 5)) {}

  LossValue forward(const LossInput& input) const override {
    const auto [positive_B1, negative_B1] = hardest(input);
    const at::Tensor losses_B1 = positive_B1 - negative_B1 + margin_;
    return losses_B1.masked_fill(losses_B1 < 0, 0).mean();
  }

 private:
  double margin_;
};

}  // namespace

std::unique_ptr<Loss> make_batch_hard_triplet(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<BatchHardTriplet>(spec);
}

}  // namespace st
