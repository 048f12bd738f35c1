#include <ATen/TensorOperators.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/stack.h>

#include <limits>

#include "core/error.h"
#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

namespace {

// Mean squared error between s(q, p) - s(q, n) and a teacher's margins (Hofstätter et al. 2020). A label is the
// margin, the margins of all negatives, or the scores of the positive and all negatives.
class MarginMSE : public Loss {
 public:
  explicit MarginMSE(const Config& spec) : similarity_(parse_pair_similarity(spec.string("similarity", "dot"))) {
    require_options(spec, {"similarity"});
  }

  void check_batch(const LossInput& input) const override {
    require_columns("MarginMSELoss", input, 3, std::numeric_limits<int64_t>::max());
    check(input.labels.defined(), "ERR_INVALID_DATA",
          "MarginMSELoss needs a label for each row, but the batch has none");
    const int64_t rows = input.rows(), negatives = input.columns() - 2;
    const at::IntArrayRef shape = input.labels.sizes();
    const bool fits = !shape.empty() && shape[0] == rows &&
                      (shape.size() == 1 ? negatives == 1
                                         : shape.size() == 2 && (shape[1] == negatives || shape[1] == negatives + 1));
    check(fits, "ERR_INVALID_DATA", "MarginMSELoss needs ", rows, " labels of ", negatives, " margins or of ",
          negatives + 1, " scores (of the positive, then the negatives), but found the shape ", shape);
  }

  LossValue forward(const LossInput& input) const override {
    const int64_t negatives = input.columns() - 2;
    const at::Tensor positive_B = similarity_(input.column(0), input.column(1));
    std::vector<at::Tensor> margins;
    for (int64_t n = 0; n < negatives; ++n) {
      margins.push_back(positive_B - similarity_(input.column(0), input.column(2 + n)));
    }
    at::Tensor labels_BN = input.labels.to(positive_B.scalar_type());
    if (labels_BN.dim() == 1) labels_BN = labels_BN.unsqueeze(1);
    if (labels_BN.size(1) == negatives + 1) labels_BN = labels_BN.narrow(1, 0, 1) - labels_BN.narrow(1, 1, negatives);
    return at::mse_loss(at::stack(margins, 1), labels_BN);
  }

 private:
  PairSimilarity similarity_;
};

}  // namespace

std::unique_ptr<Loss> make_margin_mse(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<MarginMSE>(spec);
}

}  // namespace st
