#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/zeros.h>

#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

namespace {

// log(1 + sum of exp(scale (s_i - s_j)) over the pairs of rows with y_i < y_j) (Su 2022).
class CoSENT : public Loss {
 public:
  explicit CoSENT(const Config& spec) : scale_(spec.number("scale", 20)) { require_options(spec, {"scale"}); }

  void check_batch(const LossInput& input) const override {
    require_columns("CoSENTLoss", input, 2, 2);
    require_labels("CoSENTLoss", input, false);
  }

  LossValue forward(const LossInput& input) const override {
    const at::Tensor scores_B = cosine_pairs(input.column(0), input.column(1)) * scale_;
    const at::Tensor differences_BB = scores_B.unsqueeze(1) - scores_B.unsqueeze(0);
    const at::Tensor ordered_BB = (input.labels.unsqueeze(1) < input.labels.unsqueeze(0)).to(scores_B.scalar_type());
    const at::Tensor terms = (differences_BB - (1 - ordered_BB) * 1e12).view(-1);
    return at::logsumexp(at::cat({at::zeros({1}, terms.options()), terms}), at::IntArrayRef{0});
  }

 private:
  double scale_;
};

}  // namespace

std::unique_ptr<Loss> make_cosent(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<CoSENT>(spec);
}

}  // namespace st
