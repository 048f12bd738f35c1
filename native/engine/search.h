#pragma once

#include <cstdint>
#include <string>

namespace st {

// Exact search: for every query [dim], the k best rows of the corpus [count, dim], best first, ties by the smaller
// index. metric: cosine, dot, euclidean, manhattan (the last two as negative distances). scores and indices are
// [queries, k]. A score depends only on the numbers of its two rows (ops/cpu/pair_sums.h). Throws ERR_INVALID_DATA
// for a row that holds NaN or an infinity.
void top_k(const float* queries, int64_t query_count, const float* corpus, int64_t corpus_count, int64_t dim, int64_t k,
           const std::string& metric, float* scores, int32_t* indices);

}  // namespace st
