#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"

// Sizes come from outside: from a config.json, a batch, an option. They are checked before anything is built from
// them.
namespace st {

// More than any machine can hold, and so far from 2^63 that such numbers can be added and rounded up.
inline constexpr int64_t kMostElements = int64_t{1} << 56;
// 256 GB in float32, more than any encoder. A larger config is damaged or hostile.
inline constexpr int64_t kMostParameters = int64_t{1} << 36;

// The product of `sizes`, 1 without any. Throws ERR_INVALID_ARGUMENT, naming `what`, where one of them is negative or
// the product is above kMostElements.
int64_t checked_product(std::string_view what, std::span<const int64_t> sizes);
inline int64_t checked_product(std::string_view what, std::initializer_list<int64_t> sizes) {
  return checked_product(what, std::span(sizes.begin(), sizes.size()));
}

// The whole numbers of an array, each of at least `least`; empty for a missing or null member. Throws
// ERR_INVALID_ARGUMENT.
std::vector<int64_t> whole_numbers(const Config& config, const std::string& key, int64_t least);

// An architecture's keys for its sizes in config.json, and transformers' values for absent ones; here those of
// BertConfig. Without a key the fallback counts.
struct SizeKeys {
  struct Size {
    std::string key;
    int64_t fallback;
  };
  struct Number {
    std::string key;
    double fallback;
  };
  Size width{"hidden_size", 768};
  Size heads{"num_attention_heads", 12};
  Size inner{"intermediate_size", 3072};
  Size layers{"num_hidden_layers", 12};
  Size vocabulary{"vocab_size", 30522};
  Size positions{"max_position_embeddings", 512};
  Size token_types{"type_vocab_size", 2};
  bool may_lack_types = false;  // token_types may be 0
  Size head_dim{"", 0};         // of one head; without a key: width / heads
  Number epsilon{"layer_norm_eps", 1e-12};
  Number dropout{"hidden_dropout_prob", 0.1};
  Number attention_dropout{"attention_probs_dropout_prob", 0.1};
};

// The sizes of a transformer in its config.json. Throws ERR_INVALID_MODEL, naming key and value, for impossible
// sizes, before anything is built.
struct TransformerSizes {
  explicit TransformerSizes(const Config& config, const SizeKeys& keys = SizeKeys());
  int64_t width, heads, head_dim, inner, layers, vocabulary, positions, token_types;
  double epsilon, dropout, attention_dropout;
};

}  // namespace st
