#include "ops/token_codes.h"

#include "ops/cpu/code_scores.h"

namespace st {

int64_t bytes_of(TokenCode code, int64_t width) {
  switch (code) {
    case TokenCode::kFloat16:
      return 2 * width;
    case TokenCode::kInt8:
      return width;
    case TokenCode::kBits:
      return (width + 7) / 8;
  }
  return 0;
}

void decode(const TokenCodes& codes, int64_t first, int64_t count, float* out) {
  const auto* from = static_cast<const uint8_t*>(codes.data) + first * bytes_of(codes.code, codes.width);
  const kernels::CodeScores& kernels = kernels::code_scores();
  switch (codes.code) {
    case TokenCode::kFloat16:
      return kernels.halves(count * codes.width, reinterpret_cast<const uint16_t*>(from), out);
    case TokenCode::kInt8:
      return kernels.scaled_bytes(codes.width, count, reinterpret_cast<const int8_t*>(from), codes.scales_D,
                                  codes.shifts_D, out);
    case TokenCode::kBits:
      return kernels.signs(codes.width, count, from, out);
  }
}

}  // namespace st
