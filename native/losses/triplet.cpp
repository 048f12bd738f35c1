#include <ATen/TensorOperators.h>
#include <ATen/ops/relu.h>

#include "core/error.h"
#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

namespace {

// Mean of max(d(a, p) - d(a, n) + margin, 0). Distances are negated similarities, because constants cancel.
class Triplet : public Loss {
 public:
  explicit Triplet(const Config& spec) : margin_(spec.number("tripletMargin", 5)) {
    require_options(spec, {"distanceMetric", "tripletMargin"});
    const std::string metric = spec.string("distanceMetric", "euclidean");
    check(metric == "cosine" || metric == "euclidean" || metric == "manhattan", "ERR_INVALID_ARGUMENT",
          "Expected one of cosine, euclidean, manhattan for distanceMetric but found ", metric);
    similarity_ = parse_pair_similarity(metric);
  }

  void check_batch(const LossInput& input) const override { require_columns("TripletLoss", input, 3, 3); }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor positive_B = similarity_(input.column(0), input.column(1));
    const at::Tensor negative_B = similarity_(input.column(0), input.column(2));
    return at::relu(negative_B - positive_B + margin_).mean();
  }

 private:
  double margin_;
  PairSimilarity similarity_;
};

}  // namespace

std::unique_ptr<Loss> make_triplet(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<Triplet>(spec);
}

}  // namespace st
