#include <ATen/ops/mse_loss.h>

#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

// Mean squared error between each pair's score and its label.
class MSE : public Loss {
 public:
  MSE(const Config& spec, int64_t labels) : activation_(logit_activation(spec)) {
    require_options(spec, {"activationFn"});
    require_one_label(spec, labels);
  }

  void check_batch(const LossInput& input) const override {
    require_columns("CrossEncoder.MSELoss", input, 1, 1);
    require_labels("CrossEncoder.MSELoss", input, false);
  }

  LossValue forward(const LossInput& input) const override {
    return at::mse_loss(scores_CB(input, activation_)[0], labels_like(input));
  }

 private:
  Activation activation_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_mse(const Config& spec, int64_t labels, LossLayout) {
  return std::make_unique<MSE>(spec, labels);
}

}  // namespace st
