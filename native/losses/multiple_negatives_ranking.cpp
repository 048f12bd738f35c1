#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/logsumexp.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.h"
#include "losses/loss.h"
#include "losses/scores.h"
#include "ops/cuda.h"

namespace st {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Scores of the rows of a chunk with one kind of candidates.
struct Direction {
  at::Tensor scores_RN;
  // bool: candidates that are not negatives: the own positive, or, where `without`, the row's own texts
  at::Tensor fixed_RN;
  bool without = false;  // whether the fixed candidates are removed
  at::Tensor texts_N;    // of the candidates
};

// Each anchor has to find its own positive among all positives and negatives of the batch (Henderson et al. 2017; van
// den Oord et al. 2018). Options: more directions (Li et al. 2023), weights for hard negatives (Lan et al. 2025), and
// masks for false negatives.
class MultipleNegativesRanking : public Loss {
 public:
  explicit MultipleNegativesRanking(const Config& spec)
      : scale_(spec.number("scale", 20)),
        similarity_(parse_similarity(spec)),
        joint_(spec.string("partitionMode", "joint") == "joint"),
        hardness_(spec.string("hardnessMode", "")),
        strength_(spec.number("hardnessStrength", 0)),
        mask_duplicates_(spec.boolean("maskDuplicates", false)) {
    require_options(spec, {"scale", "similarity", "directions", "partitionMode", "hardnessMode", "hardnessStrength",
                           "maskDuplicates", "falseNegativeMargin"});
    if (spec.has("falseNegativeMargin")) margin_ = spec.number("falseNegativeMargin");
    if (spec.has("directions")) directions_ = spec.strings("directions");
    for (const std::string& name : directions_) {
      check(name == "query_to_doc" || name == "query_to_query" || name == "doc_to_query" || name == "doc_to_doc",
            "ERR_INVALID_ARGUMENT", "Expected query_to_doc, query_to_query, doc_to_query or doc_to_doc for directions",
            " but found ", name);
    }
    check(has("query_to_doc"), "ERR_INVALID_ARGUMENT", "directions needs query_to_doc, which holds the positives");
    const std::string partition = spec.string("partitionMode", "joint");
    check(joint_ || partition == "per_direction", "ERR_INVALID_ARGUMENT",
          "Expected joint or per_direction for partitionMode but found ", partition);
    check(joint_ || (!has("query_to_query") && !has("doc_to_doc")), "ERR_INVALID_ARGUMENT",
          "partitionMode per_direction takes query_to_doc and doc_to_query: no other direction holds the positive");
    check(hardness_.empty() || hardness_ == "in_batch_negatives" || hardness_ == "hard_negatives" ||
              hardness_ == "all_negatives",
          "ERR_INVALID_ARGUMENT",
          "Expected in_batch_negatives, hard_negatives or all_negatives for hardnessMode but found ", hardness_);
    check(strength_ >= 0, "ERR_INVALID_ARGUMENT", "Expected at least 0 for hardnessStrength but found ", strength_);
  }

  void check_batch(const LossInput& input) const override {
    require_columns("MultipleNegativesRankingLoss", input, 2, std::numeric_limits<int64_t>::max());
    check(!mask_duplicates_ || input.text_ids_CB.defined(), "ERR_INVALID_DATA",
          "MultipleNegativesRankingLoss with maskDuplicates needs the numbers of the texts, but the batch has none");
  }

  LossValue forward(const LossInput& input) const override {
    MaskCount count;
    const int64_t rows = input.rows();
    int64_t width = 0;
    for (const std::string& name : directions_) width += name.ends_with("_doc") ? rows * (input.columns() - 1) : rows;
    const at::Tensor sum =
        sum_in_chunks(input.embeddings_CBD, width, [&](const at::Tensor& embeddings_CBD, int64_t begin, int64_t end) {
          return chunk(input, embeddings_CBD, begin, end - begin, count);
        });
    LossValue value(sum / rows);
    if (masks()) value.logged.emplace_back("masked_share", count.share());
    return value;
  }

 private:
  bool has(const char* name) const {
    return std::find(directions_.begin(), directions_.end(), name) != directions_.end();
  }
  bool masks() const { return mask_duplicates_ || margin_.has_value(); }

  // Whether the loss is the plain cross-entropy of one matrix of scores, which has its own kernel.
  bool by_kernel(const at::Tensor& x) const {
    const bool plain = directions_.size() == 1 && !masks() && (hardness_.empty() || strength_ == 0);
    return plain && x.is_cuda() && x.scalar_type() == at::kFloat && cuda::use_kernels();
  }

  // The sum of the terms of the rows begin ... begin + size - 1.
  at::Tensor chunk(const LossInput& input, const at::Tensor& embeddings_CBD, int64_t begin, int64_t size,
                   MaskCount& count) const {
    const at::Tensor queries_BD = embeddings_CBD[0], positives_BD = embeddings_CBD[1];
    const at::Tensor docs_ND = embeddings_CBD.narrow(0, 1, input.columns() - 1).flatten(0, 1);
    const at::Tensor queries_RD = queries_BD.narrow(0, begin, size), positives_RD = positives_BD.narrow(0, begin, size);
    const at::Tensor texts = input.text_ids_CB;
    const at::Tensor query_texts_B = texts.defined() ? texts[0] : texts;
    const at::Tensor doc_texts_N = texts.defined() ? texts.narrow(0, 1, input.columns() - 1).flatten() : texts;
    if (by_kernel(embeddings_CBD)) {
      return cuda::softmax_loss(score_matrix(similarity_, queries_RD, docs_ND), begin, scale_);
    }

    // Indices of a row, and of the row that a document belongs to.
    const auto index = at::TensorOptions().dtype(at::kLong).device(embeddings_CBD.device());
    const at::Tensor own_R1 = at::arange(begin, begin + size, index).unsqueeze(1);
    const at::Tensor row_B = at::arange(input.rows(), index), doc_N = at::arange(docs_ND.size(0), index);
    std::vector<Direction> directions;
    directions.push_back({score_matrix(similarity_, queries_RD, docs_ND), doc_N == own_R1, false, doc_texts_N});
    if (has("query_to_query")) {
      directions.push_back({score_matrix(similarity_, queries_RD, queries_BD), row_B == own_R1, true, query_texts_B});
    }
    if (has("doc_to_query")) {
      directions.push_back(
          {score_matrix(similarity_, queries_BD, positives_RD).t(), row_B == own_R1, false, query_texts_B});
    }
    if (has("doc_to_doc")) {
      directions.push_back({score_matrix(similarity_, docs_ND, positives_RD).t(),
                            doc_N.remainder(input.rows()) == own_R1, true, doc_texts_N});
    }
    const at::Tensor raw_RN = directions[0].scores_RN;
    const at::Tensor positive_R1 = raw_RN.gather(1, own_R1);

    std::vector<at::Tensor> scaled;
    for (const Direction& direction : directions) {
      at::Tensor scores_RN = direction.scores_RN * scale_;
      if (scaled.empty() && !hardness_.empty() && strength_ > 0)
        scores_RN = scores_RN + penalty(raw_RN, doc_N, own_R1, input.rows());
      at::Tensor out_RN = direction.without ? direction.fixed_RN : at::Tensor();
      if (masks()) {
        const at::Tensor false_RN = false_negatives(direction, positive_R1, texts, begin, size) & ~direction.fixed_RN;
        count.add(false_RN, ~direction.fixed_RN);
        out_RN = out_RN.defined() ? out_RN | false_RN : false_RN;
      }
      scaled.push_back(out_RN.defined() ? scores_RN.masked_fill(out_RN, -kInfinity) : scores_RN);
    }

    at::Tensor log_z_R;
    if (joint_) {
      log_z_R = at::logsumexp(at::cat(scaled, 1), at::IntArrayRef{1});
    } else {
      for (const at::Tensor& scores_RN : scaled) {
        const at::Tensor one_R = at::logsumexp(scores_RN, at::IntArrayRef{1});
        log_z_R = log_z_R.defined() ? log_z_R + one_R : one_R;
      }
      log_z_R = log_z_R / static_cast<int64_t>(scaled.size());
    }
    return (log_z_R - positive_R1.squeeze(1) * scale_).sum();
  }

  // strength * similarity, without gradient and unscaled, for the negatives of hardnessMode.
  at::Tensor penalty(const at::Tensor& raw_RN, const at::Tensor& doc_N, const at::Tensor& own_R1, int64_t rows) const {
    const at::Tensor own_RN = doc_N.remainder(rows) == own_R1;
    at::Tensor on_RN;
    if (hardness_ == "in_batch_negatives") on_RN = ~own_RN;
    if (hardness_ == "hard_negatives") on_RN = own_RN & (doc_N >= rows);
    if (hardness_ == "all_negatives") on_RN = doc_N != own_R1;
    return raw_RN.detach() * strength_ * on_RN;
  }

  // Candidates that may be further positives of a row.
  at::Tensor false_negatives(const Direction& direction, const at::Tensor& positive_R1, const at::Tensor& texts_CB,
                             int64_t begin, int64_t size) const {
    at::Tensor out_RN;
    if (mask_duplicates_) {
      const at::Tensor rows_CR1 = texts_CB.narrow(1, begin, size).unsqueeze(2);
      out_RN = (direction.texts_N == rows_CR1[0]) | (direction.texts_N == rows_CR1[1]);
    }
    if (margin_) {
      const at::Tensor near_RN = direction.scores_RN.detach() > positive_R1.detach() - *margin_;
      out_RN = out_RN.defined() ? out_RN | near_RN : near_RN;
    }
    return out_RN;
  }

  double scale_;
  Similarity similarity_;
  std::vector<std::string> directions_ = {"query_to_doc"};
  bool joint_;
  std::string hardness_;
  double strength_;
  bool mask_duplicates_;
  std::optional<double> margin_;
};

}  // namespace

std::unique_ptr<Loss> make_multiple_negatives_ranking(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<MultipleNegativesRanking>(spec);
}

}  // namespace st
