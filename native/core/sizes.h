#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"

// Sizes come from outside: from a config.json, a batch, an option. What is made of them is checked before it is made.
namespace st {

// More than any machine can hold, and far enough from 2^63 that such numbers can be added and rounded up.
inline constexpr int64_t kMostElements = int64_t{1} << 56;
// 256 GB in float32, more than encoders have: what lies beyond is a damaged or hostile config.
inline constexpr int64_t kMostParameters = int64_t{1} << 36;

// The product of `sizes`, 1 without any. Throws ERR_INVALID_ARGUMENT, naming `what`, where one of them is negative or
// the product is above kMostElements.
int64_t checked_product(std::string_view what, std::span<const int64_t> sizes);
inline int64_t checked_product(std::string_view what, std::initializer_list<int64_t> sizes) {
  return checked_product(what, std::span(sizes.begin(), sizes.size()));
}

// The whole numbers of an array, each of at least `least`; empty for a missing or null member. Throw
// ERR_INVALID_ARGUMENT.
std::vector<int64_t> whole_numbers(const Config& config, const std::string& key, int64_t least);

// The sizes of a transformer in its config.json. Throws ERR_INVALID_MODEL, naming the member, for sizes that no
// transformer has: nothing of it has been made then.
struct TransformerSizes {
  explicit TransformerSizes(const Config& config);
  int64_t width, heads, inner, layers, vocabulary, positions, token_types;
  double epsilon, dropout, attention_dropout;
};

}  // namespace st
