#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>

#include <limits>

#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

// Cross-entropy between the softmax over a query's scores and the softmax over its labels (Cao et al. 2007).
class ListNet : public Loss {
 public:
  ListNet(const Config& spec, int64_t labels) : activation_(logit_activation(spec)) {
    require_options(spec, {"activationFn"});
    require_one_label(spec, labels);
  }

  LossNeeds needs() const override {
    return {.capturable = false, .ignores_shift = activation_ == Activation::kIdentity};
  }

  void check_batch(const LossInput& input) const override { require_lists("CrossEncoder.ListNetLoss", input); }

  LossValue forward(const LossInput& input) const override {
    const Lists lists(input);
    const at::Tensor scores_QM = lists.table(scores_CB(input, activation_)[0], -1e16);
    const at::Tensor labels_QM = lists.table(labels_like(input), -std::numeric_limits<double>::infinity());
    return -(at::softmax(labels_QM, 1) * at::log_softmax(scores_QM, 1)).sum(1).mean();
  }

 private:
  Activation activation_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_list_net(const Config& spec, int64_t labels, LossLayout) {
  return std::make_unique<ListNet>(spec, labels);
}

}  // namespace st
