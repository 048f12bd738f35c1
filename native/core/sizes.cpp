#include "core/sizes.h"

#include <cmath>

#include "core/error.h"
#include "core/model_config.h"

namespace st {

namespace {

// Limits from dropout, which has 65535 sites.
constexpr int64_t kMostLayers = 4096, kMostHeads = 65535;
constexpr int64_t kMostTypes = 10'000'000;

int64_t size_of(const ModelConfig& config, const SizeKeys::Size& size) {
  return size.key.empty() ? size.fallback : config.size(size.key, size.fallback);
}

int64_t size_of(const ModelConfig& config, const SizeKeys::Size& size, int64_t most) {
  return size.key.empty() ? size.fallback : config.size(size.key, size.fallback, most);
}

double probability_of(const ModelConfig& config, const SizeKeys::Number& number) {
  return number.key.empty() ? number.fallback : config.probability(number.key, number.fallback);
}

double epsilon_of(const ModelConfig& config, const SizeKeys::Number& number) {
  return number.key.empty() ? number.fallback : config.positive(number.key, number.fallback, 1);
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
  // With one size of 0 the product is 0.
  if (zero) return 0;
  check(fits, "ERR_INVALID_ARGUMENT", "Expected at most ", kMostElements, " elements for ", what, " but found ",
        joined(sizes));
  return product;
}

std::vector<int64_t> whole_numbers(const Config& config, const std::string& key, int64_t least) {
  std::vector<int64_t> out;
  for (double value : config.numbers(key)) {
    // Casting a value out of range is undefined.
    const bool fits = value == std::floor(value) && value >= static_cast<double>(least) && value <= 9e15;
    check(fits, "ERR_INVALID_ARGUMENT", "Expected whole numbers of at least ", least, " for ", key, " but found ",
          value);
    out.push_back(static_cast<int64_t>(value));
  }
  return out;
}

TransformerSizes::TransformerSizes(const Config& given, const SizeKeys& keys) {
  const ModelConfig config(given);
  width = size_of(config, keys.width);
  heads = size_of(config, keys.heads, kMostHeads);
  inner = size_of(config, keys.inner);
  layers = size_of(config, keys.layers, kMostLayers);
  vocabulary = size_of(config, keys.vocabulary);
  positions = size_of(config, keys.positions);
  token_types = keys.may_lack_types ? config.integer(keys.token_types.key, keys.token_types.fallback, 0, kMostTypes)
                                    : size_of(config, keys.token_types);
  epsilon = epsilon_of(config, keys.epsilon);
  dropout = probability_of(config, keys.dropout);
  attention_dropout = probability_of(config, keys.attention_dropout);
  const bool divides = keys.head_dim.key.empty();
  check(!divides || width % heads == 0, "ERR_INVALID_MODEL", "Expected a divisor of ", keys.width.key, " ", width,
        " as ", keys.heads.key, " in config.json, found ", heads);
  head_dim = divides ? width / heads : size_of(config, keys.head_dim);
  // In double precision, where no product overflows; biases and norms are left out.
  const auto number = [](int64_t size) { return static_cast<double>(size); };
  const double tables = number(width) * (number(vocabulary) + number(positions) + number(token_types));
  const double attention = 4 * number(heads) * number(head_dim);
  const double weights = number(width) * (attention + 2 * number(inner)) * number(layers);
  check(tables + weights <= static_cast<double>(kMostParameters), "ERR_INVALID_MODEL", "Expected sizes of at most ",
        kMostParameters, " parameters in config.json, found ", tables + weights, ": ", keys.width.key, " ", width, ", ",
        keys.layers.key, " ", layers, ", ", keys.inner.key, " ", inner, ", ", keys.vocabulary.key, " ", vocabulary,
        ", ", keys.positions.key, " ", positions);
}

}  // namespace st
