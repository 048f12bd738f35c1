#include <ATen/TensorOperators.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/stack.h>

#include <limits>

#include "core/error.h"
#include "losses/multi_vector/multi_vector.h"

namespace st::multi_vector {

namespace {

// Mean squared error between s(q, p) - s(q, n) and a teacher's margins (Hofstätter et al. 2020). A label is the
// margin, the margins of all negatives, or the scores of the positive and all negatives.
class MultiVectorMarginMSE : public Loss {
 public:
  explicit MultiVectorMarginMSE(const Config& spec) : scores_(parse_scores(spec)) {
    require_options(spec, {"scores", "topK"});
  }
  LossNeeds needs() const override { return {.vectors = true, .capturable = false}; }
  void check_batch(const LossInput& input) const override {
    require_columns("MultiVectorMarginMSELoss", input, 3, std::numeric_limits<int64_t>::max());
    check(input.labels.defined(), "ERR_INVALID_DATA",
          "MultiVectorMarginMSELoss needs a label for each row, but the batch has none");
    const int64_t rows = input.rows(), negatives = input.columns() - 2;
    const at::IntArrayRef shape = input.labels.sizes();
    const bool fits = !shape.empty() && shape[0] == rows &&
                      (shape.size() == 1 ? negatives == 1
                                         : shape.size() == 2 && (shape[1] == negatives || shape[1] == negatives + 1));
    check(fits, "ERR_INVALID_DATA", "MultiVectorMarginMSELoss needs ", rows, " labels of ", negatives,
          " margins or of ", negatives + 1, " scores (of the positive, then the negatives), but found the shape ",
          shape);
  }
  LossValue forward(const LossInput& input) const override {
    const int64_t negatives = input.columns() - 2;
    const TokenVectors queries = column(input, 0);
    const at::Tensor positive_B = max_sim_rows(queries, column(input, 1), scores_);
    std::vector<at::Tensor> margins;
    for (int64_t n = 0; n < negatives; ++n) {
      margins.push_back(positive_B - max_sim_rows(queries, column(input, 2 + n), scores_));
    }
    at::Tensor labels_BN = input.labels.to(positive_B.scalar_type());
    if (labels_BN.dim() == 1) labels_BN = labels_BN.unsqueeze(1);
    if (labels_BN.size(1) == negatives + 1) labels_BN = labels_BN.narrow(1, 0, 1) - labels_BN.narrow(1, 1, negatives);
    return at::mse_loss(at::stack(margins, 1), labels_BN);
  }

 private:
  MaxSim scores_;
};

}  // namespace

std::unique_ptr<Loss> make_margin_mse(const Config& spec) {
  return std::make_unique<MultiVectorMarginMSE>(spec);
}

}  // namespace st::multi_vector
