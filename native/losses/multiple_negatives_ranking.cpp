#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/matmul.h>

#include <limits>

#include "core/error.h"
#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

namespace {

// Cross-entropy of every anchor's own positive against all positives and negatives of the batch (Henderson et al.
// 2017).
class MultipleNegativesRanking : public Loss {
 public:
  explicit MultipleNegativesRanking(const Config& spec)
      : scale_(spec.number("scale", 20)), cosine_(spec.string("similarity", "cosine") == "cosine") {
    require_options(spec, {"scale", "similarity"});
    const std::string similarity = spec.string("similarity", "cosine");
    check(cosine_ || similarity == "dot", "ERR_INVALID_ARGUMENT", "Expected cosine or dot for similarity but found ",
          similarity);
  }

  void check_batch(const LossInput& input) const override {
    require_columns("MultipleNegativesRankingLoss", input, 2, std::numeric_limits<int64_t>::max());
  }

  LossValue forward(const LossInput& input) const override {
    const int64_t rows = input.embeddings_CBD.size(1), width = input.embeddings_CBD.size(2);
    const at::Tensor anchors_BD = input.column(0);
    const at::Tensor candidates_ND = input.embeddings_CBD.narrow(0, 1, input.columns() - 1).reshape({-1, width});
    const at::Tensor scores_BN =
        cosine_ ? cosine_matrix(anchors_BD, candidates_ND) : at::matmul(anchors_BD, candidates_ND.t());
    return at::cross_entropy_loss(scores_BN * scale_, at::arange(rows, scores_BN.options().dtype(at::kLong)));
  }

 private:
  double scale_;
  bool cosine_;
};

}  // namespace

std::unique_ptr<Loss> make_multiple_negatives_ranking(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<MultipleNegativesRanking>(spec);
}

}  // namespace st
