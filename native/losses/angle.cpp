#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>

#include <limits>

#include "losses/cosent.h"
#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

namespace {

// CoSENT of the angle in complex space (Li and Li 2024). Further columns are negatives of column 0: pairs with the
// label 1 - y. y is 1 without labels.
class AnglE : public Loss {
 public:
  explicit AnglE(const Config& spec) : scale_(spec.number("scale", 20)), angle_(parse_pair_similarity("angle")) {
    require_options(spec, {"scale"});
  }

  void check_batch(const LossInput& input) const override {
    require_columns("AnglELoss", input, 2, std::numeric_limits<int64_t>::max());
    if (input.labels.defined() || input.columns() == 2) require_labels("AnglELoss", input, false);
  }

  LossValue forward(const LossInput& input) const override {
    const int64_t others = input.columns() - 1, width = input.embeddings_CBD.size(2);
    const at::Tensor anchors_ND = input.column(0).repeat({others, 1});
    const at::Tensor others_ND = input.embeddings_CBD.narrow(0, 1, others).reshape({-1, width});
    const at::Tensor labels_B =
        input.labels.defined() ? input.labels : at::ones({input.rows()}, input.embeddings_CBD.options());
    const at::Tensor labels_N = at::cat({labels_B, (1 - labels_B).repeat({others - 1})});
    return cosent(angle_(anchors_ND, others_ND) * scale_, labels_N);
  }

 private:
  double scale_;
  PairSimilarity angle_;
};

}  // namespace

std::unique_ptr<Loss> make_angle(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<AnglE>(spec);
}

}  // namespace st
