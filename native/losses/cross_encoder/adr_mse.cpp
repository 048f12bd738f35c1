#include <ATen/TensorOperators.h>
#include <ATen/ops/log2.h>
#include <ATen/ops/sigmoid.h>

#include "core/error.h"
#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

// Mean over all documents of (true rank - approximate rank)^2 / log2(true rank + 1). The approximate rank counts,
// with a sigmoid, the documents of the query that score higher. Equal labels share the mean of their ranks.
class ADRMSE : public Loss {
 public:
  ADRMSE(const Config& spec, int64_t labels) : activation_(logit_activation(spec)), alpha_(spec.number("alpha", 1)) {
    require_options(spec, {"activationFn", "alpha"});
    require_one_label(spec, labels);
  }

  LossNeeds needs() const override {
    return {.capturable = false, .ignores_shift = activation_ == Activation::kIdentity};
  }

  void check_batch(const LossInput& input) const override { require_lists("CrossEncoder.ADRMSELoss", input); }

  LossValue forward(const LossInput& input) const override {
    const Lists lists(input);
    const at::Tensor scores_QM = lists.table(scores_CB(input, activation_)[0], -1e16);
    const at::Tensor labels_QM = lists.table(labels_like(input), 0);
    const at::Tensor mask_QM = lists.mask_QM.to(scores_QM.scalar_type());
    // For document i of a query, over its documents j.
    const at::Tensor label_i = labels_QM.unsqueeze(2), label_j = labels_QM.unsqueeze(1), there_j = mask_QM.unsqueeze(1);
    const at::Tensor higher_QM = ((label_j > label_i).to(mask_QM.scalar_type()) * there_j).sum(2);
    const at::Tensor equal_QM = ((label_j == label_i).to(mask_QM.scalar_type()) * there_j).sum(2);
    const at::Tensor rank_QM = higher_QM + (equal_QM + 1) / 2;

    const at::Tensor above_Qij = at::sigmoid((scores_QM.unsqueeze(1) - scores_QM.unsqueeze(2)) * alpha_) * there_j;
    // A document does not outrank itself, so its own sigmoid(0) is subtracted.
    const at::Tensor approximate_QM = above_Qij.sum(2) + 1 - mask_QM * 0.5;
    const at::Tensor errors_QM = (rank_QM - approximate_QM).square() / at::log2(rank_QM + 1);
    return (errors_QM * mask_QM).sum() / mask_QM.sum();
  }

 private:
  Activation activation_;
  double alpha_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_adr_mse(const Config& spec, int64_t labels, LossLayout) {
  return std::make_unique<ADRMSE>(spec, labels);
}

}  // namespace st
