#include <ATen/ops/cross_entropy_loss.h>

#include "core/error.h"
#include "core/upload.h"
#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

// Cross-entropy between the softmax over each pair's logits and its class, or a distribution over the classes.
class CrossEntropy : public Loss {
 public:
  CrossEntropy(const Config& spec, int64_t labels)
      : labels_(labels),
        activation_(logit_activation(spec)),
        smoothing_(spec.number("labelSmoothing", 0)),
        weight_(spec.numbers("weight")) {
    require_options(spec, {"activationFn", "labelSmoothing", "weight"});
    check(weight_.empty() || static_cast<int64_t>(weight_.size()) == labels, "ERR_INVALID_ARGUMENT",
          "CrossEncoder.CrossEntropyLoss needs a weight for each of the ", labels, " labels but found ",
          weight_.size());
  }

  LossNeeds needs() const override { return {.capturable = weight_.empty()}; }

  void check_batch(const LossInput& input) const override {
    const char* name = "CrossEncoder.CrossEntropyLoss";
    require_columns(name, input, 1, 1);
    require_classes(name, input, labels_);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor logits_BL = activate(activation_, input.column(0));
    at::Tensor weight_L;
    if (!weight_.empty()) weight_L = upload<double>(weight_, logits_BL.device()).to(logits_BL.scalar_type());
    return at::cross_entropy_loss(logits_BL, input.labels, weight_L, at::Reduction::Mean, -100, smoothing_);
  }

 private:
  int64_t labels_;
  Activation activation_;
  double smoothing_;
  std::vector<double> weight_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_cross_entropy(const Config& spec, int64_t labels, LossLayout) {
  return std::make_unique<CrossEntropy>(spec, labels);
}

}  // namespace st
