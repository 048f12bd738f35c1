#pragma once

#include <cstdint>
#include <cstring>

namespace st {

inline constexpr const char* kNotFinite = " holds a value that is not finite (NaN or infinity)";

// Of float32 values, whose exponent has all bits set where they are not finite. The memory need not be aligned.
inline bool are_finite(const void* values, int64_t bytes) {
  constexpr uint32_t kExponent = 0x7f800000;
  const char* data = static_cast<const char*>(values);
  uint32_t found = 0;
  for (int64_t at = 0; at < bytes; at += static_cast<int64_t>(sizeof found)) {
    uint32_t bits = 0;
    std::memcpy(&bits, data + at, sizeof bits);
    found |= static_cast<uint32_t>((bits & kExponent) == kExponent);
  }
  return found == 0;
}

}  // namespace st
