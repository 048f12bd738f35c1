#pragma once

#include <cstdint>

namespace st {

// The k rows of `codes` that are nearest to each query, nearest first, ties by the smaller index; indices is
// [queries, k]. They are candidates, to be scored by their full vectors. Needs k <= count.

// By the number of different bits. `width` is the bytes of a row, a multiple of 8; rows are aligned to 8 bytes.
void nearest_bits(const uint8_t* queries, int64_t query_count, const uint8_t* codes, int64_t count, int64_t width,
                  int64_t k, int32_t* indices);

// By factors[r] * (query · codes[r]). Shapes: queries [queries, dim], codes [count, dim], factors [count].
void nearest_bytes(const float* queries, int64_t query_count, const int8_t* codes, const float* factors, int64_t count,
                   int64_t dim, int64_t k, int32_t* indices);

}  // namespace st
