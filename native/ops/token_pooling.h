#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace st {

// How the vectors of a text become fewer, as sentence-transformers' HierarchicalTokenPooling: those behind the first
// `kept` ones are clustered by Ward's linkage over 1 - x y', into count / factor clusters, and each cluster becomes its
// mean.
struct TokenPooling {
  double factor = 1;
  int64_t kept = 1;
  bool normalize = true;  // vectors of length 1 come out, also where nothing was joined
};

// Throws ERR_INVALID_MODEL for a factor below 1 or a negative number of kept tokens.
void check_token_pooling(const TokenPooling& options);

// Vectors of all rows, and where each row begins: [rows + 1].
struct PooledRows {
  at::Tensor x_TD;
  std::vector<int32_t> offsets;
};

// Pools the chosen rows. Differentiable by autograd with the clusters fixed.
PooledRows pool_tokens(const at::Tensor& x_TD, std::span<const int32_t> offsets, const TokenPooling& options,
                       const std::vector<bool>& chosen);

// The cluster of each of n items, numbered as scipy's fcluster(ward linkage, most, 'maxclust') less 1. `distances`:
// [n, n] float32, of which the part above the diagonal is read.
std::vector<int32_t> ward_clusters(const float* distances, int64_t n, int64_t most);

}  // namespace st
