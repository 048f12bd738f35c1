#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/full.h>

#include "core/error.h"
#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

// Cross-entropy between the sigmoid of each pair's score and a label from 0 to 1.
class BinaryCrossEntropy : public Loss {
 public:
  BinaryCrossEntropy(const Config& spec, int64_t labels)
      : activation_(logit_activation(spec)), pos_weight_(spec.number("posWeight", 1)) {
    require_options(spec, {"activationFn", "posWeight"});
    require_one_label(spec, labels);
    check(pos_weight_ >= 0, "ERR_INVALID_ARGUMENT", "Expected at least 0 for posWeight but found ", pos_weight_);
  }

  void check_batch(const LossInput& input) const override {
    require_columns("CrossEncoder.BinaryCrossEntropyLoss", input, 1, 1);
    require_labels("CrossEncoder.BinaryCrossEntropyLoss", input, false);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor scores_B = scores_CB(input, activation_)[0];
    return at::binary_cross_entropy_with_logits(scores_B, labels_like(input), {},
                                                at::full({1}, pos_weight_, scores_B.options()));
  }

 private:
  Activation activation_;
  double pos_weight_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_binary_cross_entropy(const Config& spec, int64_t labels, LossLayout) {
  return std::make_unique<BinaryCrossEntropy>(spec, labels);
}

}  // namespace st
