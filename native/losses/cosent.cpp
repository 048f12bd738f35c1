#include "losses/cosent.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logcumsumexp.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "losses/loss.h"
#include "ops/similarity.h"

namespace st {

at::Tensor cosent(const at::Tensor& scores_B, const at::Tensor& labels_B) {
  // Sorted by label, all rows with a higher label than a row's come after some position. Their sums of exp(-s_j) are
  // running sums from the end, so that memory grows with the rows and not with their pairs.
  const auto [sorted_B, order_B] = at::sort(labels_B, /*stable=*/true, 0, /*descending=*/false);
  const at::Tensor ordered_B = scores_B.index_select(0, order_B);
  const at::Tensor higher_B = at::searchsorted(sorted_B, sorted_B, /*out_int32=*/false, /*right=*/true);
  const at::Tensor sums_B = at::flip(at::logcumsumexp(at::flip(-ordered_B, {0}), 0), {0});
  const at::Tensor none = at::full({1}, -std::numeric_limits<double>::infinity(), scores_B.options());
  const at::Tensor terms_B = ordered_B + at::cat({sums_B, none}).index_select(0, higher_B);
  return at::logsumexp(at::cat({at::zeros({1}, terms_B.options()), terms_B}), at::IntArrayRef{0});
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
