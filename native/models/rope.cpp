#include "models/rope.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/model_config.h"

namespace st {

namespace {

constexpr double kMostTheta = 1e12;

// The object `key`, or null.
const Config* object_of(const Config& config, const std::string& key) {
  return config.has(key) && config.member(key).if_object() != nullptr ? &config.member(key) : nullptr;
}

}  // namespace

RopeOptions::RopeOptions(const Config& config, double default_theta, int64_t head_dim) : theta(default_theta) {
  const ModelConfig whole(config);
  theta = whole.positive("rope_theta", theta, kMostTheta);
  const Config* found = object_of(config, "rope_parameters");
  if (found == nullptr) found = object_of(config, "rope_scaling");
  if (found == nullptr) return;
  const ModelConfig options(*found);
  theta = options.positive("rope_theta", theta, kMostTheta);
  const std::string key = options.has("rope_type") ? "rope_type" : "type";
  options.only(key, {"default", "linear", "ntk"});
  const std::string type = options.text(key, "default");
  const double factor = type == "default" ? 1 : options.positive("factor", 1, 1e6);
  if (options.has("mixed_b")) options.not_built("mixed_b", "no mixed_b");
  if (type == "linear") divisor = factor;
  if (type != "ntk" || factor <= 1) return;
  theta *= factor;
  divisor = std::pow(factor, 2 / static_cast<double>(head_dim));
}

Rotary RopeOptions::rotary(int64_t query_and_key_heads, int64_t head_dim) const {
  at::Tensor frequency_R = rotary_frequencies(theta, head_dim);
  if (divisor != 1) frequency_R = frequency_R / divisor;
  return {{query_and_key_heads, head_dim, head_dim}, frequency_R, dynamic};
}

}  // namespace st
