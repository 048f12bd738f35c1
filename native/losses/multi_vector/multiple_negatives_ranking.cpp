#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>

#include <limits>

#include "core/error.h"
#include "losses/multi_vector/multi_vector.h"

namespace st::multi_vector {

namespace {

// Each query has to find its own positive among all documents of the batch.
class MultiVectorMultipleNegativesRanking : public Loss {
 public:
  explicit MultiVectorMultipleNegativesRanking(const Config& spec)
      : scale_(spec.number("scale", 1)), scores_(parse_scores(spec)) {
    require_options(spec, {"scale", "scores", "topK"});
    check(scale_ > 0, "ERR_INVALID_ARGUMENT", "Expected a scale above 0 but found ", scale_);
  }
  LossNeeds needs() const override { return {.vectors = true, .capturable = false}; }
  void check_batch(const LossInput& input) const override {
    require_columns("MultiVectorMultipleNegativesRankingLoss", input, 2, std::numeric_limits<int64_t>::max());
  }
  LossValue forward(const LossInput& input) const override {
    const TokenVectors queries = column(input, 0);
    const TokenVectors documents = columns(input, 1, input.columns());
    const at::Tensor scores_BN = max_sim(queries, documents, scores_);
    const at::Tensor own_B = at::arange(input.rows(), at::TensorOptions().dtype(at::kLong).device(scores_BN.device()));
    return at::cross_entropy_loss(scores_BN * scale_, own_B);
  }

 private:
  double scale_;
  MaxSim scores_;
};

}  // namespace

std::unique_ptr<Loss> make_multiple_negatives_ranking(const Config& spec) {
  return std::make_unique<MultiVectorMultipleNegativesRanking>(spec);
}

}  // namespace st::multi_vector
