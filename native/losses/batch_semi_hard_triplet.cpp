#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/max.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/min.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "losses/batch_triplets.h"

namespace st {

namespace {

// Mean over the positive pairs of max(d(a, p) - d(a, n) + margin, 0). n is the nearest negative that is farther from
// a than p, or the farthest negative where there is none (Schroff et al. 2015).
class BatchSemiHardTriplet : public BatchTriplets {
 public:
  explicit BatchSemiHardTriplet(const Config& spec)
      : BatchTriplets(spec, "BatchSemiHardTripletLoss", {"margin"}), margin_(spec.number("margin", 5)) {}

  LossValue forward(const LossInput& input) const override {
    const at::Tensor distances_BB = distances(input), same_BB = same_class(input.labels);
    const at::ScalarType type = distances_BB.scalar_type();
    const at::Tensor other_BB = same_BB.logical_not();

    // With an anchor's negatives sorted by distance, the nearest that is farther than a positive is the first one
    // after it. Rows that are not negatives are at infinity.
    const at::Tensor sorted_BB = std::get<0>(distances_BB.masked_fill(same_BB, std::numeric_limits<double>::infinity())
                                                 .sort(/*stable=*/true, 1, /*descending=*/false));
    const at::Tensor places_BB =
        at::searchsorted(sorted_BB.detach(), distances_BB.detach(), /*out_int32=*/false, /*right=*/true);
    const at::Tensor nearest_BB = sorted_BB.gather(1, places_BB.clamp_max(input.rows() - 1));

    // A masked maximum: that of the distances above their minimum.
    const at::Tensor least_B1 = std::get<0>(distances_BB.min(1, true));
    const at::Tensor farthest_B1 = std::get<0>(((distances_BB - least_B1) * other_BB.to(type)).max(1, true)) + least_B1;

    const at::Tensor negatives_BB =
        at::where(at::isfinite(nearest_BB), nearest_BB, farthest_B1.expand_as(distances_BB));
    const at::Tensor positive_BB = same_BB.to(type) - at::eye(input.rows(), distances_BB.options());
    const at::Tensor losses_BB = (distances_BB - negatives_BB + margin_) * positive_BB;
    return at::maximum(losses_BB, at::zeros_like(losses_BB)).sum() / positive_BB.sum().clamp_min(1e-16);
  }

 private:
  double margin_;
};

}  // namespace

std::unique_ptr<Loss> make_batch_semi_hard_triplet(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<BatchSemiHardTriplet>(spec);
}

}  // namespace st
