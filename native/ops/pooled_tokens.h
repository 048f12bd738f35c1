#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "ops/pooling.h"

// Shared by pool() and its reference: the tokens of a row that count, and their weights.
namespace st {

enum class PoolingMode { kCls, kMax, kMean, kMeanSqrtLength, kWeightedMean, kLastToken };

// By the names of sentence-transformers.
PoolingMode parse_pooling_mode(const std::string& name);

// A row of the batch, from `start` on, whose tokens [first, end) are pooled.
struct PooledTokens {
  int64_t start, first, end;
};

std::vector<PooledTokens> pooled_tokens(const Rows& batch, bool include_prompt);

// The weight of token t, for all modes but max, which are sums.
inline double pooling_weight(PoolingMode mode, const PooledTokens& row, int64_t t) {
  const auto count = static_cast<double>(row.end - row.first);
  switch (mode) {
    case PoolingMode::kMean:
      return 1 / count;
    case PoolingMode::kMeanSqrtLength:
      return 1 / std::sqrt(count);
    case PoolingMode::kWeightedMean: {
      // 1, 2, ... by position in the row, and their sum
      const auto first = static_cast<double>(row.first - row.start + 1),
                 last = static_cast<double>(row.end - row.start);
      return static_cast<double>(t - row.start + 1) / ((first + last) * count / 2);
    }
    default:
      return t == (mode == PoolingMode::kCls ? row.first : row.end - 1) ? 1 : 0;
  }
}

}  // namespace st
