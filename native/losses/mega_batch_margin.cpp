#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/max.h>
#include <ATen/ops/relu.h>

#include <limits>

#include "losses/loss.h"
#include "losses/scores.h"

namespace st {

namespace {

// Mean of max(positive margin - cos(a, p), 0) + max(greatest cos(a, n) - negative margin, 0), where n are the other
// positives of the batch (Wieting and Gimpel 2018).
class MegaBatchMargin : public Loss {
 public:
  explicit MegaBatchMargin(const Config& spec)
      : positive_margin_(spec.number("positiveMargin", 0.8)), negative_margin_(spec.number("negativeMargin", 0.3)) {
    require_options(spec, {"positiveMargin", "negativeMargin"});
  }

  void check_batch(const LossInput& input) const override { require_columns("MegaBatchMarginLoss", input, 2, 2); }

  LossValue forward(const LossInput& input) const override {
    const int64_t rows = input.rows();
    return sum_in_chunks(input.embeddings_CBD, rows,
                         [&](const at::Tensor& embeddings_CBD, int64_t begin, int64_t end) {
                           return terms(embeddings_CBD[0].narrow(0, begin, end - begin), embeddings_CBD[1], begin);
                         }) /
           rows;
  }

 private:
  at::Tensor terms(const at::Tensor& anchors_RD, const at::Tensor& positives_BD, int64_t begin) const {
    const at::Tensor scores_RB = score_matrix(Similarity::kCosine, anchors_RD, positives_BD);
    const auto index = at::TensorOptions().dtype(at::kLong).device(scores_RB.device());
    const at::Tensor own_R1 = at::arange(begin, begin + scores_RB.size(0), index).unsqueeze(1);
    const at::Tensor others_RB =
        scores_RB.masked_fill(at::arange(scores_RB.size(1), index) == own_R1, -std::numeric_limits<double>::infinity());
    const at::Tensor positive_R = scores_RB.gather(1, own_R1).squeeze(1), negative_R = std::get<0>(others_RB.max(1));
    return (at::relu(positive_margin_ - positive_R) + at::relu(negative_R - negative_margin_)).sum();
  }

  double positive_margin_, negative_margin_;
};

}  // namespace

std::unique_ptr<Loss> make_mega_batch_margin(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<MegaBatchMargin>(spec);
}

}  // namespace st
