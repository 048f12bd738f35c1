#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/exp2.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/logcumsumexp.h>
#include <ATen/ops/sort.h>

#include <limits>

#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

// A list of one document has the single weight 0.
constexpr double kEpsilon = 1e-10;

// Minus the log-likelihood of the right order of a query's documents in a Plackett-Luce model of their scores:
// ListMLE (Xia et al. 2008), or p-ListMLE with weights that emphasise the first ranks (Lan et al. 2014).
class ListMLE : public Loss {
 public:
  ListMLE(const Config& spec, int64_t labels, const char* name, bool weighted)
      : name_(name),
        weighted_(weighted && spec.boolean("lambdaWeight", true)),
        activation_(logit_activation(spec)),
        input_order_(spec.boolean("respectInputOrder", true)) {
    require_one_label(spec, labels);
  }

  LossNeeds needs() const override {
    return {.capturable = false, .ignores_shift = activation_ == Activation::kIdentity};
  }

  void check_batch(const LossInput& input) const override { require_lists(name_, input); }

  LossValue forward(const LossInput& input) const override {
    const Lists lists(input);
    // Absent documents add nothing to the sums, because e to the power of the lowest number is 0.
    const double lowest = std::numeric_limits<float>::lowest();
    at::Tensor scores_QM = lists.table(scores_CB(input, activation_)[0], lowest);
    if (!input_order_) {
      const at::Tensor labels_QM = lists.table(labels_like(input), -std::numeric_limits<double>::infinity());
      // Absent documents come after the others.
      scores_QM = scores_QM.gather(1, std::get<1>(at::sort(labels_QM, /*stable=*/true, 1, /*descending=*/true)));
    }
    const at::Tensor absent_QM = lists.mask_QM.logical_not();
    const at::Tensor rest_QM = at::flip(at::logcumsumexp(at::flip(scores_QM, {1}), 1), {1});
    at::Tensor logs_QM = scores_QM - rest_QM;
    if (weighted_) logs_QM = logs_QM * weights(lists.mask_QM.to(scores_QM.scalar_type()));
    return -logs_QM.masked_fill(absent_QM, 0).sum(1).mean();
  }

 private:
  // 2 ^ (documents - rank) - 1 with ranks from 1, divided by their sum. A power of 2 scales both sides of the
  // quotient and keeps the sum within float32.
  static at::Tensor weights(const at::Tensor& mask_QM) {
    const at::Tensor ranks_M = at::arange(1, mask_QM.size(1) + 1, mask_QM.options());
    const at::Tensor documents_Q1 = mask_QM.sum(1, true), scale_Q1 = (documents_Q1 - 127).clamp_min(0);
    const at::Tensor weights_QM = (at::exp2(documents_Q1 - ranks_M - scale_Q1) - at::exp2(-scale_Q1)) * mask_QM;
    return weights_QM / (weights_QM.sum(1, true) + kEpsilon);
  }

  const char* name_;
  bool weighted_;
  Activation activation_;
  bool input_order_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_list_mle(const Config& spec, int64_t labels, LossLayout) {
  require_options(spec, {"activationFn", "respectInputOrder"});
  return std::make_unique<ListMLE>(spec, labels, "CrossEncoder.ListMLELoss", false);
}

std::unique_ptr<Loss> make_ce_plist_mle(const Config& spec, int64_t labels, LossLayout) {
  require_options(spec, {"activationFn", "respectInputOrder", "lambdaWeight"});
  return std::make_unique<ListMLE>(spec, labels, "CrossEncoder.PListMLELoss", true);
}

}  // namespace st
