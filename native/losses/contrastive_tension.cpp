#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>

#include "core/error.h"
#include "losses/loss.h"

namespace st {

namespace {

// The dot product of a text in one encoder and a text in another shows whether the two are the same (Carlsson et al.
// 2021).
class ContrastiveTension : public Loss {
 public:
  explicit ContrastiveTension(const Config& spec) { require_options(spec, {}); }

  LossNeeds needs() const override { return {.twin = true}; }

  void check_batch(const LossInput& input) const override {
    require_columns("ContrastiveTensionLoss", input, 2, 2);
    if (input.labels.defined()) return require_labels("ContrastiveTensionLoss", input, false);
    check(input.text_ids_CB.defined(), "ERR_INVALID_DATA",
          "ContrastiveTensionLoss needs labels or the numbers of the texts, but the batch has neither");
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor scores_B = (input.column(0) * input.column(1)).sum(1);
    const at::Tensor same_B = input.labels.defined() ? input.labels : input.text_ids_CB[0] == input.text_ids_CB[1];
    return at::binary_cross_entropy_with_logits(scores_B, same_B.to(scores_B.scalar_type()), {}, {},
                                                at::Reduction::Sum);
  }
};

}  // namespace

std::unique_ptr<Loss> make_contrastive_tension(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<ContrastiveTension>(spec);
}

}  // namespace st
