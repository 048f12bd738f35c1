#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace st {

// x / max(|x|, 1e-12) row by row, as torch.nn.functional.normalize.
at::Tensor normalize_rows(const at::Tensor& x_RD);

// [A, D] x [B, D] -> [A, B] cosine similarities.
at::Tensor cosine_matrix(const at::Tensor& a_AD, const at::Tensor& b_BD);

// Cosine of row i of a with row i of b.
at::Tensor cosine_pairs(const at::Tensor& a_RD, const at::Tensor& b_RD);

// Similarity of row i of a with row i of b: cosine, dot, euclidean or manhattan (distances, negated), or angle, as the
// pairwise functions of sentence-transformers' util. Throws ERR_INVALID_ARGUMENT for another name.
using PairSimilarity = at::Tensor (*)(const at::Tensor& a_RD, const at::Tensor& b_RD);
PairSimilarity parse_pair_similarity(const std::string& name);

// Distance of row i of a from row i of b as ContrastiveLoss takes it: cosine, euclidean or manhattan, as torch's
// cosine_similarity and pairwise_distance with their eps. Throws ERR_INVALID_ARGUMENT for another name.
PairSimilarity parse_pair_distance(const std::string& name);

}  // namespace st
