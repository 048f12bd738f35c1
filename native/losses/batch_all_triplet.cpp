#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "losses/batch_triplets.h"

namespace st {

namespace {

// Mean of d(a, p) - d(a, n) + margin over all triplets of the batch with a positive value (Hermans et al. 2017).
class BatchAllTriplet : public BatchTriplets {
 public:
  explicit BatchAllTriplet(const Config& spec)
      : BatchTriplets(spec, "BatchAllTripletLoss", {"margin"}), margin_(spec.number("margin", 5)) {}

  LossValue forward(const LossInput& input) const override {
    const at::Tensor distances_BB = distances(input), same_BB = same_class(input.labels);
    const at::Tensor no_positive_BB = same_BB.logical_not().logical_or(at::eye(input.rows(), same_BB.options()));

    // With an anchor's negatives sorted by distance, those that count for a positive come first. Their number and the
    // sum of their distances give the sum of the losses. So memory grows with the square of the batch, where triplets
    // would grow with its cube. The sums are doubles, because they may be much larger than their difference.
    const at::Tensor exact_BB = distances_BB.to(at::kDouble), limits_BB = exact_BB + margin_;
    const at::Tensor negatives_BB =
        std::get<0>(exact_BB.masked_fill(same_BB, std::numeric_limits<double>::infinity()).sort(1));
    const at::Tensor counts_BB = at::searchsorted(negatives_BB.detach(), limits_BB.detach());
    const at::Tensor sums_BS = at::cat({at::zeros({input.rows(), 1}, exact_BB.options()), negatives_BB.cumsum(1)}, 1);
    const at::Tensor losses_BB = (counts_BB * limits_BB - sums_BS.gather(1, counts_BB)).masked_fill(no_positive_BB, 0);
    const at::Tensor count = counts_BB.masked_fill(no_positive_BB, 0).sum().clamp_min(1);
    // The last term is zero, unless a distance is not finite. Sorting would hide such a distance.
    return (losses_BB.sum() / count).to(distances_BB.scalar_type()) + distances_BB.sum() * 0;
  }

 private:
  double margin_;
};

}  // namespace

std::unique_ptr<Loss> make_batch_all_triplet(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<BatchAllTriplet>(spec);
}

}  // namespace st
