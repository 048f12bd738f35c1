#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "losses/loss.h"
#include "losses/scores.h"

namespace st {

namespace {

// Different texts of a column should have the similarities of random points on a sphere: mean 0, second moment 1 /
// width (Zhang et al. 2017).
class GlobalOrthogonalRegularization : public Loss {
 public:
  explicit GlobalOrthogonalRegularization(const Config& spec)
      : similarity_(parse_similarity(spec)),
        mean_weight_(spec.number("meanWeight", 1)),
        moment_weight_(spec.number("secondMomentWeight", 1)) {
    require_options(spec, {"similarity", "meanWeight", "secondMomentWeight", "aggregation"});
    check(mean_weight_ != 0 || moment_weight_ != 0, "ERR_INVALID_ARGUMENT",
          "At least one of meanWeight and secondMomentWeight must differ from 0");
    const std::string aggregation = spec.string("aggregation", "mean");
    sum_ = aggregation == "sum";
    check(sum_ || aggregation == "mean", "ERR_INVALID_ARGUMENT", "Expected mean or sum for aggregation but found ",
          aggregation);
  }

  void check_batch(const LossInput& input) const override {
    require_columns("GlobalOrthogonalRegularizationLoss", input, 1, std::numeric_limits<int64_t>::max());
  }

  // One row has no pairs: both terms are 0.
  LossValue forward(const LossInput& input) const override {
    const int64_t rows = input.rows(), width = input.embeddings_CBD.size(2);
    const int64_t pairs = std::max<int64_t>(rows * (rows - 1), 1);
    const at::Tensor self_BB = at::eye(rows, input.embeddings_CBD.options().dtype(at::kBool));
    std::vector<at::Tensor> means, moments;
    for (int64_t c = 0; c < input.columns(); ++c) {
      const at::Tensor x_BD = input.column(c);
      const at::Tensor scores_BB = score_matrix(similarity_, x_BD, x_BD).masked_fill(self_BB, 0);
      means.push_back((scores_BB.sum() / pairs).pow(2));
      moments.push_back(at::relu(scores_BB.pow(2).sum() / pairs - 1.0 / static_cast<double>(width)));
    }
    std::vector<std::pair<std::string, at::Tensor>> parts;
    if (mean_weight_ != 0) parts.emplace_back("gor_mean", mean_weight_ * aggregate(means));
    if (moment_weight_ != 0) parts.emplace_back("gor_second_moment", moment_weight_ * aggregate(moments));
    const at::Tensor total = parts.size() == 1 ? parts[0].second : parts[0].second + parts[1].second;
    return {total, std::move(parts)};
  }

 private:
  at::Tensor aggregate(const std::vector<at::Tensor>& terms) const {
    return sum_ ? at::stack(terms).sum() : at::stack(terms).mean();
  }

  Similarity similarity_;
  double mean_weight_, moment_weight_;
  bool sum_ = false;
};

}  // namespace

std::unique_ptr<Loss> make_global_orthogonal_regularization(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<GlobalOrthogonalRegularization>(spec);
}

}  // namespace st
