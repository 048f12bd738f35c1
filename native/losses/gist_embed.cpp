#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>

#include <limits>

#include "core/error.h"
#include "losses/loss.h"
#include "losses/scores.h"
#include "ops/similarity.h"

namespace st {

namespace {

// Each anchor has to find its own positive. Candidates are left out that a guide model finds nearer to the anchor (or
// the positive) than that positive (Solatorio 2024).
class GISTEmbed : public Loss {
 public:
  explicit GISTEmbed(const Config& spec)
      : temperature_(spec.number("temperature", 0.01)),
        relative_(spec.string("marginStrategy", "absolute") == "relative"),
        margin_(spec.number("margin", 0)),
        anchors_(spec.boolean("contrastAnchors", true)),
        positives_(spec.boolean("contrastPositives", true)) {
    require_options(spec, {"temperature", "marginStrategy", "margin", "contrastAnchors", "contrastPositives"});
    const std::string strategy = spec.string("marginStrategy", "absolute");
    check(relative_ || strategy == "absolute", "ERR_INVALID_ARGUMENT",
          "Expected absolute or relative for marginStrategy but found ", strategy);
    check(temperature_ > 0, "ERR_INVALID_ARGUMENT", "Expected a positive temperature but found ", temperature_);
  }

  void check_batch(const LossInput& input) const override {
    require_columns("GISTEmbedLoss", input, 2, std::numeric_limits<int64_t>::max());
    check(input.guide_CBG.defined(), "ERR_INVALID_DATA",
          "GISTEmbedLoss needs the embeddings of a guide model, but the batch has none");
  }

  LossValue forward(const LossInput& input) const override {
    // In double and rounded, so that equal texts have equal similarities everywhere in the matrix. So a candidate
    // that is exactly as near as the positive stays.
    const at::Tensor guide_CBG =
        normalize_rows(input.guide_CBG.to(at::kDouble).flatten(0, 1)).view(input.guide_CBG.sizes());
    const int64_t rows = input.rows(), width = rows * (input.columns() - 1 + anchors_ + positives_);
    MaskCount count;
    const at::Tensor sum =
        sum_in_chunks(input.embeddings_CBD, width, [&](const at::Tensor& embeddings_CBD, int64_t begin, int64_t end) {
          return chunk(embeddings_CBD, guide_CBG, begin, end - begin, count);
        });
    return {sum / rows, {{"masked_share", count.share()}}};
  }

 private:
  // The sum of the terms of the rows begin ... begin + size - 1.
  at::Tensor chunk(const at::Tensor& embeddings_CBD, const at::Tensor& guide_CBG, int64_t begin, int64_t size,
                   MaskCount& count) const {
    const auto index = at::TensorOptions().dtype(at::kLong).device(embeddings_CBD.device());
    const at::Tensor own_R = at::arange(begin, begin + size, index);
    const at::Tensor own_RB = at::arange(embeddings_CBD.size(1), index) == own_R.unsqueeze(1);
    const auto guided = [&](int64_t a, int64_t b) {
      return at::matmul(guide_CBG[a].narrow(0, begin, size), guide_CBG[b].t()).to(at::kFloat);
    };
    const at::Tensor positive_R1 = guided(0, 1).gather(1, own_R.unsqueeze(1));
    const at::Tensor limit_R1 = relative_ ? positive_R1 - positive_R1.abs() * margin_ : positive_R1 - margin_;

    std::vector<at::Tensor> scores;
    const auto add = [&](int64_t a, int64_t b) {
      // Keeps the own positive. A text is not compared with itself, because it is not its own negative.
      const bool positive = a == 0 && b == 1;
      const at::Tensor negative_RB = positive || a == b ? ~own_RB : at::ones_like(own_RB);
      at::Tensor masked_RB = guided(a, b) > limit_R1;
      count.add(masked_RB & negative_RB, negative_RB);
      if (positive) masked_RB = masked_RB & negative_RB;
      const at::Tensor scores_RB = cosine_matrix(embeddings_CBD[a].narrow(0, begin, size), embeddings_CBD[b]);
      scores.push_back(scores_RB.masked_fill(masked_RB, -std::numeric_limits<double>::infinity()));
    };
    add(0, 1);
    if (anchors_) add(0, 0);
    if (positives_) add(1, 1);
    for (int64_t column = 2; column < embeddings_CBD.size(0); ++column) add(0, column);
    return at::cross_entropy_loss(at::cat(scores, 1) / temperature_, own_R, {}, at::Reduction::Sum);
  }

  double temperature_;
  bool relative_;
  double margin_;
  bool anchors_, positives_;
};

}  // namespace

std::unique_ptr<Loss> make_gist_embed(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<GISTEmbed>(spec);
}

}  // namespace st
