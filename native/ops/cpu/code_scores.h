#pragma once

#include <cstdint>

// Rows of few bits: comparisons with one query, and their numbers. Integers are exact; sums of products follow the
// order of the instruction set, since they only choose rows that are scored again.
namespace st::kernels {

struct CodeScores {
  // out[r] = the number of bits in which row r differs from the query. Rows have `words` words of 64 bits.
  void (*different_bits)(int64_t words, const uint64_t* query, int64_t count, const uint64_t* codes_RW, int32_t* out);
  // out[r] = the sum over d of query[d] * codes[r][d]
  void (*byte_products)(int64_t width, const float* query, int64_t count, const int8_t* codes_RD, float* out);
  // out = the numbers of halves
  void (*halves)(int64_t count, const uint16_t* from, float* out);
  // out[r][d] = codes[r][d] * scales[d] + shifts[d]
  void (*scaled_bytes)(int64_t width, int64_t count, const int8_t* codes_RD, const float* scales, const float* shifts,
                       float* out_RD);
  // out[r][d] = 1 or -1 where bit d of row r is 1 or 0. A row has whole bytes, each less 128, with the first bit
  // highest.
  void (*signs)(int64_t width, int64_t count, const uint8_t* rows, float* out_RD);
};

// The one for table()'s instruction set.
const CodeScores& code_scores();

}  // namespace st::kernels
