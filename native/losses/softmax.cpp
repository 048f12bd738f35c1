#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linear.h>

#include "core/error.h"
#include "losses/loss.h"

namespace st {

namespace {

// Cross-entropy between a linear classifier over [u; v; |u - v|; u v] and the class of a pair, or a distribution over
// the classes (Reimers and Gurevych 2019). The loss owns the classifier.
class Softmax : public Loss {
 public:
  Softmax(const Config& spec, int64_t width, LossLayout layout)
      : labels_(spec.integer("numLabels")),
        both_(spec.boolean("concatenationSentRep", true)),
        difference_(spec.boolean("concatenationSentDifference", true)),
        product_(spec.boolean("concatenationSentMultiplication", false)),
        features_(width * (2 * both_ + difference_ + product_)) {
    require_options(
        spec, {"numLabels", "concatenationSentRep", "concatenationSentDifference", "concatenationSentMultiplication"});
    check(labels_ >= 1, "ERR_INVALID_ARGUMENT", "Expected at least 1 for numLabels but found ", labels_);
    check(features_ > 0, "ERR_INVALID_ARGUMENT", "SoftmaxLoss needs at least one of its three concatenations");
    weight_ = layout.add("classifier.weight", {labels_, features_}, Group::kDecay);
    bias_ = layout.add("classifier.bias", {labels_}, Group::kNoDecay);
  }

  void initialize(Parameters& parameters, uint64_t seed) const override {
    initialize_linear(parameters, weight_, bias_, features_, seed);
  }

  void check_batch(const LossInput& input) const override {
    require_columns("SoftmaxLoss", input, 2, 2);
    require_classes("SoftmaxLoss", input, labels_);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor u_BD = input.column(0), v_BD = input.column(1);
    std::vector<at::Tensor> parts;
    if (both_) parts.insert(parts.end(), {u_BD, v_BD});
    if (difference_) parts.push_back((u_BD - v_BD).abs());
    if (product_) parts.push_back(u_BD * v_BD);
    const at::Tensor logits_BL = at::linear(at::cat(parts, 1), input.parameters[weight_], input.parameters[bias_]);
    return at::cross_entropy_loss(logits_BL, input.labels);
  }

 private:
  int64_t labels_;
  bool both_, difference_, product_;
  int64_t features_;
  ParamId weight_, bias_;
};

}  // namespace

std::unique_ptr<Loss> make_softmax(const Config& spec, int64_t width, LossLayout layout) {
  return std::make_unique<Softmax>(spec, width, layout);
}

}  // namespace st
