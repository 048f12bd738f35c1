#pragma once

#include <cstdint>
#include <vector>

#include "ops/vocabulary_loss.h"

// SPLADE's pooling: how much each word of the vocabulary belongs to a row of tokens.
namespace st {

struct VocabularyPool {
  bool sum = false;    // over the tokens of a row; else the highest
  bool twice = false;  // log(1 + log(1 + relu)), else log(1 + relu)
};

// [R, V]: log(1 + relu(x W' + b)) of all tokens of a row, pooled; differentiable by autograd. The logits [T, V] never
// stand whole. Of the highest, a thread multiplies a piece of the vocabulary by a few tokens and keeps the highest and
// its token while they are in its cache, and the gradient goes to that token alone. Sums work on blocks of tokens,
// whose logits the backward pass computes again. `offsets`: [R + 1], rising from 0 to T; no row is empty. `packed`: the
// weight by pack_weight() for so many rows of x, where the caller keeps it.
at::Tensor vocabulary_pool(const VocabularyLayer& layer, const std::vector<int32_t>& offsets,
                           const VocabularyPool& pool, const at::Tensor& packed = {});

namespace reference {
at::Tensor vocabulary_pool(const VocabularyLayer& layer, const std::vector<int32_t>& offsets,
                           const VocabularyPool& pool);
}  // namespace reference

}  // namespace st
