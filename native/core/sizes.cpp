#include "core/sizes.h"

#include <cmath>

#include "core/error.h"

namespace st {

namespace {

// Each has places of its own for dropout, of which there are 65535.
constexpr int64_t kMostLayers = 4096, kMostHeads = 65535;

int64_t positive(const Config& config, const std::string& key) {
  const int64_t value = config.integer(key);
  check(value >= 1, "ERR_INVALID_MODEL", "Expected at least 1 for ", key, " in config.json but found ", value);
  return value;
}

int64_t positive(const Config& config, const std::string& key, int64_t most) {
  const int64_t value = positive(config, key);
  check(value <= most, "ERR_INVALID_MODEL", "Expected at most ", most, " for ", key, " in config.json but found ",
        value);
  return value;
}

double probability(const Config& config, const std::string& key) {
  const double value = config.number(key, 0.1);
  check(value >= 0 && value <= 0.9999, "ERR_INVALID_MODEL", "Expected 0 to 0.9999 for ", key,
        " in config.json but found ", value);
  return value;
}

double epsilon_of(const Config& config) {
  const double value = config.number("layer_norm_eps", 1e-12);
  check(value >= 0 && value <= 1, "ERR_INVALID_MODEL", "Expected 0 to 1 for layer_norm_eps in config.json but found ",
        value);
  return value;
}

std::string joined(std::span<const int64_t> sizes) {
  std::string out;
  for (int64_t size : sizes) out += (out.empty() ? "" : " x ") + std::to_string(size);
  return out;
}

}  // namespace

int64_t checked_product(std::string_view what, std::span<const int64_t> sizes) {
  int64_t product = 1;
  bool fits = true, zero = false;
  for (int64_t size : sizes) {
    check(size >= 0, "ERR_INVALID_ARGUMENT", "Expected no negative size for ", what, " but found ", joined(sizes));
    zero = zero || size == 0;
    fits = fits && !__builtin_mul_overflow(product, size, &product) && product <= kMostElements;
  }
  // Whatever the others are, nothing is there.
  if (zero) return 0;
  check(fits, "ERR_INVALID_ARGUMENT", "Expected at most ", kMostElements, " elements for ", what, " but found ",
        joined(sizes));
  return product;
}

std::vector<int64_t> whole_numbers(const Config& config, const std::string& key, int64_t least) {
  std::vector<int64_t> out;
  for (double value : config.numbers(key)) {
    // A cast of what does not fit is undefined.
    const bool fits = value == std::floor(value) && value >= static_cast<double>(least) && value <= 9e15;
    check(fits, "ERR_INVALID_ARGUMENT", "Expected whole numbers of at least ", least, " for ", key, " but found ",
          value);
    out.push_back(static_cast<int64_t>(value));
  }
  return out;
}

TransformerSizes::TransformerSizes(const Config& config)
    : width(positive(config, "hidden_size")),
      heads(positive(config, "num_attention_heads", kMostHeads)),
      inner(positive(config, "intermediate_size")),
      layers(positive(config, "num_hidden_layers", kMostLayers)),
      vocabulary(positive(config, "vocab_size")),
      positions(positive(config, "max_position_embeddings")),
      token_types(config.has("type_vocab_size") ? positive(config, "type_vocab_size") : 2),
      epsilon(epsilon_of(config)),
      dropout(probability(config, "hidden_dropout_prob")),
      attention_dropout(probability(config, "attention_probs_dropout_prob")) {
  check(width % heads == 0, "ERR_INVALID_MODEL", "Expected a hidden_size that num_attention_heads divides but found ",
        width, " and ", heads);
  // In double precision, where no product overflows; biases and norms are left out.
  const auto number = [](int64_t size) { return static_cast<double>(size); };
  const double tables = number(width) * (number(vocabulary) + number(positions) + number(token_types));
  const double weights = number(width) * (4 * number(width) + 2 * number(inner)) * number(layers);
  check(tables + weights <= static_cast<double>(kMostParameters), "ERR_INVALID_MODEL", "Expected at most ",
        kMostParameters, " parameters but config.json asks for ", tables + weights, ": hidden_size ", width,
        ", num_hidden_layers ", layers, ", intermediate_size ", inner, ", vocab_size ", vocabulary,
        ", max_position_embeddings ", positions);
}

}  // namespace st
