#pragma once

#include <functional>
#include <vector>

#include "core/config.h"
#include "losses/loss.h"

namespace st {

enum class Similarity { kCosine, kDot };

// The option `similarity` of a spec, cosine by default.
Similarity parse_similarity(const Config& spec);
// [A, D] x [B, D] -> [A, B].
at::Tensor score_matrix(Similarity similarity, const at::Tensor& a_AD, const at::Tensor& b_BD);

// Counts masked candidates among all that could be masked, over blocks of candidates and chunks of rows.
class MaskCount {
 public:
  void add(const at::Tensor& masked, const at::Tensor& maskable);
  // Share of masked negatives, 0 without any negatives.
  at::Tensor share() const;

 private:
  at::Tensor masked_, maskable_;
};

// The sum of terms(embeddings, begin, end) over chunks of the rows 0 ... rows - 1, each with at most about
// `kScoresAtOnce` scores where a row has `width` of them. The gradient of a chunk is computed at once, so that only
// one chunk's graph exists. Memory then grows with the batch, not with its square (Gao et al. 2021, section 3.3).
inline constexpr int64_t kScoresAtOnce = int64_t{1} << 23;
using RowTerms = std::function<at::Tensor(const at::Tensor& embeddings_CBD, int64_t begin, int64_t end)>;
at::Tensor sum_in_chunks(const at::Tensor& embeddings_CBD, int64_t width, const RowTerms& terms);

}  // namespace st
