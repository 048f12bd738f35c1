#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/mse_loss.h>

#include "losses/loss.h"
#include "ops/activation.h"

namespace st {

namespace {

// Mean squared error between the cosine of each pair, or a function of it, and its label.
class CosineSimilarity : public Loss {
 public:
  explicit CosineSimilarity(const Config& spec)
      : transformation_(parse_activation(spec.string("cosScoreTransformation", "identity"), "cosScoreTransformation")) {
    require_options(spec, {"cosScoreTransformation"});
  }

  void check_batch(const LossInput& input) const override {
    require_columns("CosineSimilarityLoss", input, 2, 2);
    require_labels("CosineSimilarityLoss", input, false);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor cosines_B = at::cosine_similarity(input.column(0), input.column(1), 1, 1e-8);
    return at::mse_loss(activate(transformation_, cosines_B), input.labels.to(cosines_B.scalar_type()));
  }

 private:
  Activation transformation_;
};

}  // namespace

std::unique_ptr<Loss> make_cosine_similarity(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<CosineSimilarity>(spec);
}

}  // namespace st
