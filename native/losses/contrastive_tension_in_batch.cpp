#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>

#include <cmath>

#include "core/error.h"
#include "losses/loss.h"
#include "losses/scores.h"

namespace st {

namespace {

// Each text has to find itself among all texts of the batch in another encoder, in both directions, with a learned
// scale (Carlsson et al. 2021). Both columns hold the same texts.
class ContrastiveTensionInBatch : public Loss {
 public:
  ContrastiveTensionInBatch(const Config& spec, LossLayout layout)
      : scale_(spec.number("scale", 20)), similarity_(parse_similarity(spec)) {
    require_options(spec, {"scale", "similarity"});
    check(scale_ > 0, "ERR_INVALID_ARGUMENT", "Expected a positive scale but found ", scale_);
    logit_scale_ = layout.add("logit_scale", {}, Group::kDecay);
  }

  LossNeeds needs() const override { return {.twin = true}; }

  void initialize(Parameters& parameters, uint64_t) const override {
    at::Tensor(parameters.master(logit_scale_)).fill_(std::log(scale_));
  }

  void check_batch(const LossInput& input) const override {
    require_columns("ContrastiveTensionLossInBatchNegatives", input, 2, 2);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor scores_BB =
        score_matrix(similarity_, input.column(0), input.column(1)) * input.parameters[logit_scale_].exp();
    const at::Tensor own_B = at::arange(input.rows(), scores_BB.options().dtype(at::kLong));
    return (at::cross_entropy_loss(scores_BB, own_B) + at::cross_entropy_loss(scores_BB.t(), own_B)) / 2;
  }

 private:
  double scale_;
  Similarity similarity_;
  ParamId logit_scale_;
};

}  // namespace

std::unique_ptr<Loss> make_contrastive_tension_in_batch(const Config& spec, int64_t, LossLayout layout) {
  return std::make_unique<ContrastiveTensionInBatch>(spec, layout);
}

}  // namespace st
