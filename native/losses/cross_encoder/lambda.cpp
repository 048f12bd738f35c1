#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/exp2.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/log2.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/sort.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

enum class Scheme { kNone, kNDCG1, kNDCG2, kLambdaRank, kNDCG2PP };

Scheme parse_scheme(const Config& spec) {
  constexpr std::array<const char*, 5> kNames = {"NoWeighting", "NDCGLoss1", "NDCGLoss2", "LambdaRank", "NDCGLoss2PP"};
  const std::string name = spec.string("weightingScheme", "NDCGLoss2PP");
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  check(found != kNames.end(), "ERR_INVALID_ARGUMENT",
        "Expected NoWeighting, NDCGLoss1, NDCGLoss2, LambdaRank or NDCGLoss2PP for weightingScheme but found ", name);
  return static_cast<Scheme>(found - kNames.begin());
}

// The LambdaLoss framework (Wang et al. 2018): the mean of -w_ij log(sigmoid(s_i - s_j)) over pairs of a query's
// documents with y_i > y_j, at least one of which ranks within k. Without weights it is RankNet (Burges et al. 2005).
// Shapes: Q queries, M documents in the order of their scores, i and j.
class Lambda : public Loss {
 public:
  Lambda(const Config& spec, int64_t labels, const char* name, Scheme scheme)
      : name_(name),
        scheme_(scheme),
        activation_(logit_activation(spec)),
        mu_(spec.number("mu", 10)),
        k_(spec.integer("k", 0)),
        sigma_(spec.number("sigma", 1)),
        epsilon_(spec.number("eps", 1e-10)),
        binary_(spec.string("reductionLog", "binary") == "binary") {
    require_one_label(spec, labels);
    const std::string base = spec.string("reductionLog", "binary");
    check(base == "binary" || base == "natural", "ERR_INVALID_ARGUMENT",
          "Expected binary or natural for reductionLog but found ", base);
    check(k_ >= 0, "ERR_INVALID_ARGUMENT", "Expected at least 1 for k but found ", k_);
  }

  LossNeeds needs() const override {
    return {.capturable = false, .ignores_shift = activation_ == Activation::kIdentity};
  }

  void check_batch(const LossInput& input) const override { require_lists(name_, input); }

  LossValue forward(const LossInput& input) const override {
    const Lists lists(input);
    const at::Tensor scores_R = scores_CB(input, activation_)[0];
    const at::Tensor labels_QM = lists.table(labels_like(input), -std::numeric_limits<double>::infinity());
    const auto [sorted_QM, order_QM] = at::sort(lists.table(scores_R, -1e16), /*stable=*/true, -1, /*descending=*/true);
    const at::Tensor found_QM = labels_QM.gather(1, order_QM);
    const at::Tensor ideal_QM = std::get<0>(labels_QM.sort(-1, true)).clamp_min(0);

    const int64_t most = lists.most(), k = k_ > 0 ? std::min(k_, most) : most;
    const at::Tensor differences_Qij = found_QM.unsqueeze(2) - found_QM.unsqueeze(1);
    at::Tensor counted_Qij = at::isfinite(differences_Qij);
    if (scheme_ != Scheme::kNDCG1) counted_Qij = counted_Qij.logical_and(differences_Qij > 0);
    const at::Tensor top_M = at::arange(most, found_QM.options()) < k;
    counted_Qij = counted_Qij.logical_and(top_M.unsqueeze(1).logical_or(top_M.unsqueeze(0)));

    const at::Tensor discount_M = at::log2(at::arange(1, most + 1, found_QM.options()) + 1);
    const at::Tensor dcg_QM = (at::exp2(ideal_QM) - 1) / discount_M;
    const at::Tensor best_Q1 = dcg_QM.narrow(1, 0, k).sum(-1, true).clamp_min(epsilon_);
    const at::Tensor gain_QM = (at::exp2(found_QM.clamp_min(0)) - 1) / best_Q1;

    const at::Tensor apart_Qij = (sorted_QM.unsqueeze(2) - sorted_QM.unsqueeze(1)).clamp(-1e8, 1e8);
    at::Tensor logs_Qij = at::log_sigmoid(apart_Qij * sigma_);
    if (scheme_ != Scheme::kNone) logs_Qij = logs_Qij * weights(gain_QM, discount_M);
    const at::Tensor counted = logs_Qij.masked_select(counted_Qij);
    // Where no query has documents with different labels, there is nothing to learn: an empty sum.
    const double pairs = std::max<double>(static_cast<double>(counted.numel()), 1);
    return counted.sum() / (binary_ ? -pairs * std::log(2.0) : -pairs);
  }

 private:
  at::Tensor weights(const at::Tensor& gain_QM, const at::Tensor& discount_M) const {
    if (scheme_ == Scheme::kNDCG1) return (gain_QM / discount_M).unsqueeze(2).expand({-1, -1, discount_M.size(0)});
    const at::Tensor gains_Qij = (gain_QM.unsqueeze(2) - gain_QM.unsqueeze(1)).abs();
    if (scheme_ == Scheme::kNDCG2) return ndcg2(discount_M) * gains_Qij;
    const at::Tensor inverse_M = discount_M.reciprocal();
    const at::Tensor lambda_Qij = (inverse_M.unsqueeze(1) - inverse_M.unsqueeze(0)).abs() * gains_Qij;
    return scheme_ == Scheme::kLambdaRank ? lambda_Qij : ndcg2(discount_M) * gains_Qij * mu_ + lambda_Qij;
  }

  // |1 / D(d) - 1 / D(d + 1)| for the distance d = |i - j| of two ranks; 0 on the diagonal.
  static at::Tensor ndcg2(const at::Tensor& discount_M) {
    const int64_t most = discount_M.size(0);
    const at::Tensor rank_M = at::arange(most, discount_M.options());
    const at::Tensor distance_ij = (rank_M.unsqueeze(1) - rank_M.unsqueeze(0)).abs();
    const at::Tensor delta_ij = (at::log2(distance_ij + 1).reciprocal() - at::log2(distance_ij + 2).reciprocal()).abs();
    return delta_ij.masked_fill(distance_ij == 0, 0);
  }

  const char* name_;
  Scheme scheme_;
  Activation activation_;
  double mu_;
  int64_t k_;  // 0: all documents
  double sigma_, epsilon_;
  bool binary_;
};

}  // namespace

std::unique_ptr<Loss> make_ce_lambda(const Config& spec, int64_t labels, LossLayout) {
  require_options(spec, {"activationFn", "weightingScheme", "mu", "k", "sigma", "eps", "reductionLog"});
  return std::make_unique<Lambda>(spec, labels, "CrossEncoder.LambdaLoss", parse_scheme(spec));
}

std::unique_ptr<Loss> make_ce_rank_net(const Config& spec, int64_t labels, LossLayout) {
  require_options(spec, {"activationFn", "k", "sigma", "eps", "reductionLog"});
  return std::make_unique<Lambda>(spec, labels, "CrossEncoder.RankNetLoss", Scheme::kNone);
}

}  // namespace st
