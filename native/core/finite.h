#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace st {

inline constexpr const char* kNotFinite = " holds a value that is not finite (NaN or infinity)";

// Of float32 values. The memory need not be aligned.
inline bool are_finite(const void* values, int64_t bytes) {
  // All bits of the exponent are set where a value is not finite: one more of its last bit then reaches the sign.
  constexpr uint32_t kExponent = 0x7f800000, kLast = 0x00800000, kSign = 0x80000000;
  const char* data = static_cast<const char*>(values);
  uint32_t found = 0;
  const auto look = [&](int64_t at, auto count) {
    uint32_t bits[count];
    std::memcpy(bits, data + at, sizeof bits);
    for (const uint32_t each : bits) found |= (each & kExponent) + kLast;
  };
  int64_t at = 0;
  // Their number is known to the compiler, which then takes several at once.
  for (; at + 256 <= bytes; at += 256) look(at, std::integral_constant<size_t, 64>());
  for (; at + 4 <= bytes; at += 4) look(at, std::integral_constant<size_t, 1>());
  return (found & kSign) == 0;
}

}  // namespace st
