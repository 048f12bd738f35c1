#include <ATen/TensorOperators.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/relu.h>

#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

namespace {

// Sum of d^2 over the positives that are farther apart than the closest negatives, plus the sum of max(margin - d,
// 0)^2 over the negatives that are closer than the farthest positives.
class OnlineContrastive : public Loss {
 public:
  explicit OnlineContrastive(const Config& spec)
      : distance_(parse_pair_distance(spec.string("distanceMetric", "cosine"))), margin_(spec.number("margin", 0.5)) {
    require_options(spec, {"distanceMetric", "margin"});
  }

  // The number of pairs that count is read back.
  LossNeeds needs() const override { return {.capturable = false}; }

  void check_batch(const LossInput& input) const override {
    require_columns("OnlineContrastiveLoss", input, 2, 2);
    require_labels("OnlineContrastiveLoss", input, false);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor distances_B = distance_(input.column(0), input.column(1));
    const at::Tensor negatives = at::masked_select(distances_B, input.labels == 0);
    const at::Tensor positives = at::masked_select(distances_B, input.labels == 1);
    // A batch of one kind of pairs has no limit from the other kind, so its own mean is the limit. An empty mean is
    // NaN, and no comparison with NaN is true.
    const at::Tensor farthest = positives.numel() > 0 ? positives.max() : negatives.mean();
    const at::Tensor closest = negatives.numel() > 0 ? negatives.min() : positives.mean();
    const at::Tensor hard_negatives = at::masked_select(negatives, negatives < farthest);
    const at::Tensor hard_positives = at::masked_select(positives, positives > closest);
    // The last term is zero, unless a distance is not finite. Comparisons would hide such a distance.
    return hard_positives.pow(2).sum() + at::relu(margin_ - hard_negatives).pow(2).sum() + distances_B.sum() * 0;
  }

 private:
  PairSimilarity distance_;
  double margin_;
};

}  // namespace

std::unique_ptr<Loss> make_online_contrastive(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<OnlineContrastive>(spec);
}

}  // namespace st
