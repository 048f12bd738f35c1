#pragma once

#include <cstdint>

// Vectors of tokens in few bits, and their numbers.
namespace st {

enum class TokenCode { kFloat16, kInt8, kBits };

struct TokenCodes {
  TokenCode code = TokenCode::kFloat16;
  // [T, D] of halves or of bytes; of bits [T, ceil(D / 8)] bytes less 128, with the first number in the highest bit.
  const void* data = nullptr;
  int64_t width = 0;  // D
  // Of bytes: a number is byte * scale + shift.
  const float *scales_D = nullptr, *shifts_D = nullptr;
};

// Bytes of a vector.
int64_t bytes_of(TokenCode code, int64_t width);

// The numbers of `count` vectors from `first` on: [count, D]. Bits are 1 and -1.
void decode(const TokenCodes& codes, int64_t first, int64_t count, float* out);

}  // namespace st
