#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

// Cross-entropy of each query's positive (column 0) against its negatives (the other columns). The data side has
// chosen the negatives among the texts of the batch.
class MultipleNegativesRanking : public Loss {
 public:
  MultipleNegativesRanking(const Config& spec, int64_t labels)
      : activation_(logit_activation(spec, "sigmoid")), scale_(spec.number("scale", 10)) {
    require_options(spec, {"activationFn", "scale"});
    require_one_label(spec, labels);
  }

  LossNeeds needs() const override { return {.ignores_shift = activation_ == Activation::kIdentity}; }

  void check_batch(const LossInput& input) const override {
    require_columns("CrossEncoder.MultipleNegativesRankingLoss", input, 1, std::numeric_limits<int64_t>::max());
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor scores_BC = scores_CB(input, activation_).t() * scale_;
    return at::cross_entropy_loss(scores_BC, at::zeros({input.rows()}, scores_BC.options().dtype(at::kLong)));
  }

 private:
  Activation activation_;
  double scale_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_multiple_negatives_ranking(const Config& spec, int64_t labels, LossLayout) {
  return std::make_unique<MultipleNegativesRanking>(spec, labels);
}

}  // namespace st
