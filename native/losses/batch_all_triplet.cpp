#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/masked_fill.h>

#include "losses/batch_triplets.h"

namespace st {

namespace {

// Mean of d(a, p) - d(a, n) + margin over all triplets of the batch for which it is positive (Hermans et al. 2017).
class BatchAllTriplet : public BatchTriplets {
 public:
  explicit BatchAllTriplet(const Config& spec)
      : BatchTriplets(spec, "BatchAllTripletLoss", {"margin"}), margin_(spec.number("margin", 5)) {}

  LossValue forward(const LossInput& input) const override {
    const at::Tensor distances_BB = distances(input), same_BB = same_class(input.labels);
    const at::Tensor positive_BB = same_BB.logical_and(at::eye(input.rows(), same_BB.options()).logical_not());
    const at::Tensor valid_BBB = positive_BB.unsqueeze(2).logical_and(same_BB.logical_not().unsqueeze(1));
    const at::Tensor losses_BBB =
        (distances_BB.unsqueeze(2) - distances_BB.unsqueeze(1) + margin_) * valid_BBB.to(distances_BB.scalar_type());
    const at::Tensor count = (losses_BBB > 1e-16).sum().to(losses_BBB.scalar_type());
    return losses_BBB.masked_fill(losses_BBB < 0, 0).sum() / (count + 1e-16);
  }

 private:
  double margin_;
};

}  // namespace

std::unique_ptr<Loss> make_batch_all_triplet(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<BatchAllTriplet>(spec);
}

}  // namespace st
