#include "losses/cosent.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/zeros.h>

#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

at::Tensor cosent(const at::Tensor& scores_B, const at::Tensor& labels_B) {
  const at::Tensor differences_BB = scores_B.unsqueeze(1) - scores_B.unsqueeze(0);
  const at::Tensor ordered_BB = (labels_B.unsqueeze(1) < labels_B.unsqueeze(0)).to(scores_B.scalar_type());
  const at::Tensor terms = (differences_BB - (1 - ordered_BB) * 1e12).view(-1);
  return at::logsumexp(at::cat({at::zeros({1}, terms.options()), terms}), at::IntArrayRef{0});
}

namespace {

class CoSENT : public Loss {
 public:
  explicit CoSENT(const Config& spec)
      : scale_(spec.number("scale", 20)), similarity_(parse_pair_similarity(spec.string("similarity", "cosine"))) {
    require_options(spec, {"scale", "similarity"});
  }

  void check_batch(const LossInput& input) const override {
    require_columns("CoSENTLoss", input, 2, 2);
    require_labels("CoSENTLoss", input, false);
  }

  LossValue forward(const LossInput& input) const override {
    return cosent(similarity_(input.column(0), input.column(1)) * scale_, input.labels);
  }

 private:
  double scale_;
  PairSimilarity similarity_;
};

}  // namespace

std::unique_ptr<Loss> make_cosent(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<CoSENT>(spec);
}

}  // namespace st
