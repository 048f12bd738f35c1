#pragma once

#include <cstdint>

// Comparisons of one query with rows of few bits. Integers are exact; sums of products follow the order of the
// instruction set, since they only choose rows that are scored again.
namespace st::kernels {

struct CodeScores {
  // out[r] = the number of bits in which row r differs from the query. Rows have `words` words of 64 bits.
  void (*different_bits)(int64_t words, const uint64_t* query, int64_t count, const uint64_t* codes_RW, int32_t* out);
  // out[r] = the sum over d of query[d] * codes[r][d]
  void (*byte_products)(int64_t width, const float* query, int64_t count, const int8_t* codes_RD, float* out);
};

// The one for table()'s instruction set.
const CodeScores& code_scores();

}  // namespace st::kernels
