#include <ATen/TensorOperators.h>
#include <ATen/ops/mse_loss.h>

#include <limits>

#include "core/error.h"
#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

// Mean squared error between score(query, positive) - score(query, negative) and a teacher's margin (Hofstätter et
// al. 2020). Columns: positive, negatives.
class MarginMSE : public Loss {
 public:
  MarginMSE(const Config& spec, int64_t labels) : activation_(logit_activation(spec)) {
    require_options(spec, {"activationFn"});
    require_one_label(spec, labels);
  }

  LossNeeds needs() const override { return {.ignores_shift = activation_ == Activation::kIdentity}; }

  void check_batch(const LossInput& input) const override {
    const char* name = "CrossEncoder.MarginMSELoss";
    require_columns(name, input, 2, std::numeric_limits<int64_t>::max());
    const int64_t negatives = input.columns() - 1;
    const at::Tensor& labels = input.labels;
    check(labels.defined(), "ERR_INVALID_DATA", name, " needs a label for each row, but the batch has none");
    const int64_t width = labels.dim() == 2 ? labels.size(1) : 1;
    check(labels.dim() <= 2 && labels.size(0) == input.rows() && (width == negatives || width == negatives + 1),
          "ERR_INVALID_DATA", name, " with ", negatives, " negatives needs ", negatives,
          " margins or, with the positive's, ", negatives + 1, " scores as the label of each row, but found ", width);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor scores = scores_CB(input, activation_);
    const int64_t negatives = input.columns() - 1;
    at::Tensor margins_BN = labels_like(input);
    if (margins_BN.dim() == 1) margins_BN = margins_BN.unsqueeze(1);
    if (margins_BN.size(1) == negatives + 1) {
      margins_BN = margins_BN.narrow(1, 0, 1) - margins_BN.narrow(1, 1, negatives);
    }
    const at::Tensor found_BN = scores.narrow(0, 0, 1).t() - scores.narrow(0, 1, negatives).t();
    return at::mse_loss(found_BN, margins_BN);
  }

 private:
  Activation activation_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_margin_mse(const Config& spec, int64_t labels, LossLayout) {
  return std::make_unique<MarginMSE>(spec, labels);
}

}  // namespace st
