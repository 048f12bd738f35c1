#include "ops/similarity.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/pairwise_distance.h>
#include <ATen/ops/sum.h>

#include <map>

#include "core/error.h"

namespace st {

at::Tensor normalize_rows(const at::Tensor& x_RD) {
  return x_RD / at::linalg_vector_norm(x_RD, 2, at::IntArrayRef{1}, true).clamp_min(1e-12);
}

at::Tensor cosine_matrix(const at::Tensor& a_AD, const at::Tensor& b_BD) {
  return at::matmul(normalize_rows(a_AD), normalize_rows(b_BD).t());
}

at::Tensor cosine_pairs(const at::Tensor& a_RD, const at::Tensor& b_RD) {
  return (normalize_rows(a_RD) * normalize_rows(b_RD)).sum(1);
}

namespace {

at::Tensor dot_pairs(const at::Tensor& a_RD, const at::Tensor& b_RD) {
  return (a_RD * b_RD).sum(-1);
}

// Equal rows get the gradient 0. That of a square root would be infinite.
at::Tensor euclidean_pairs(const at::Tensor& a_RD, const at::Tensor& b_RD) {
  return -at::linalg_vector_norm(a_RD - b_RD, 2, at::IntArrayRef{1});
}

at::Tensor manhattan_pairs(const at::Tensor& a_RD, const at::Tensor& b_RD) {
  return -(a_RD - b_RD).abs().sum(-1);
}

// The halves of a row as real and imaginary parts: |sum of both parts of a / b|, where a and b have length 1 (Li and Li
// 2024). The real parts sum to the cosine. A zero row gives 0.
at::Tensor angle_pairs(const at::Tensor& x_RD, const at::Tensor& y_RD) {
  const auto unit = [](const at::Tensor& t) {
    return normalize_rows(t.size(1) % 2 == 0 ? t : at::constant_pad_nd(t, at::IntArrayRef({0, 1}), 0));
  };
  const at::Tensor a_RD = unit(x_RD), b_RD = unit(y_RD);
  const std::vector<at::Tensor> a = a_RD.chunk(2, 1), b = b_RD.chunk(2, 1);
  return (dot_pairs(a_RD, b_RD) + (a[1] * b[0] - a[0] * b[1]).sum(1)).abs();
}

at::Tensor cosine_distances(const at::Tensor& a_RD, const at::Tensor& b_RD) {
  return 1 - at::cosine_similarity(a_RD, b_RD, 1, 1e-8);
}

at::Tensor euclidean_distances(const at::Tensor& a_RD, const at::Tensor& b_RD) {
  return at::pairwise_distance(a_RD, b_RD, 2);
}

at::Tensor manhattan_distances(const at::Tensor& a_RD, const at::Tensor& b_RD) {
  return at::pairwise_distance(a_RD, b_RD, 1);
}

PairSimilarity parse(const std::map<std::string, PairSimilarity>& functions, const char* what,
                     const std::string& name) {
  const auto found = functions.find(name);
  if (found != functions.end()) return found->second;
  std::string known;
  for (const auto& [each, function] : functions) known += (known.empty() ? "" : ", ") + each;
  fail("ERR_INVALID_ARGUMENT", "Expected one of ", known, " for ", what, " but found ", name);
}

}  // namespace

PairSimilarity parse_pair_similarity(const std::string& name) {
  return parse({{"cosine", cosine_pairs},
                {"dot", dot_pairs},
                {"euclidean", euclidean_pairs},
                {"manhattan", manhattan_pairs},
                {"angle", angle_pairs}},
               "similarity", name);
}

PairSimilarity parse_pair_distance(const std::string& name) {
  return parse({{"cosine", cosine_distances}, {"euclidean", euclidean_distances}, {"manhattan", manhattan_distances}},
               "distanceMetric", name);
}

}  // namespace st
