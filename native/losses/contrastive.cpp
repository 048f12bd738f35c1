#include <ATen/TensorOperators.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/relu.h>

#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

namespace {

// Mean of (y d^2 + (1 - y) max(margin - d, 0)^2) / 2 (Hadsell et al. 2006).
class Contrastive : public Loss {
 public:
  explicit Contrastive(const Config& spec)
      : distance_(parse_pair_distance(spec.string("distanceMetric", "cosine"))),
        margin_(spec.number("margin", 0.5)),
        mean_(spec.boolean("sizeAverage", true)) {
    require_options(spec, {"distanceMetric", "margin", "sizeAverage"});
  }

  void check_batch(const LossInput& input) const override {
    require_columns("ContrastiveLoss", input, 2, 2);
    require_labels("ContrastiveLoss", input, false);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor distances_B = distance_(input.column(0), input.column(1));
    const at::Tensor labels_B = input.labels.to(distances_B.scalar_type());
    const at::Tensor losses_B =
        0.5 * (labels_B * distances_B.pow(2) + (1 - labels_B) * at::relu(margin_ - distances_B).pow(2));
    return mean_ ? losses_B.mean() : losses_B.sum();
  }

 private:
  PairSimilarity distance_;
  double margin_;
  bool mean_;
};

}  // namespace

std::unique_ptr<Loss> make_contrastive(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<Contrastive>(spec);
}

}  // namespace st
