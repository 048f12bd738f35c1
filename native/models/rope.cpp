#include "models/rope.h"

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

RotaryBase rotary_base(const Config& config, double default_theta, int64_t head_dim) {
  const ModelConfig whole(config);
  RotaryBase base{.theta = whole.positive("rope_theta", default_theta, kMostTheta)};
  const Config* found = object_of(config, "rope_parameters");
  if (found == nullptr) found = object_of(config, "rope_scaling");
  if (found == nullptr) return base;
  const ModelConfig options(*found);
  base.theta = options.positive("rope_theta", base.theta, kMostTheta);
  const std::string key = options.has("rope_type") ? "rope_type" : "type";
  options.only(key, {"default", "linear", "ntk"});
  const std::string type = options.text(key, "default");
  const double factor = type == "default" ? 1 : options.positive("factor", 1, 1e6);
  if (options.has("mixed_b")) options.not_built("mixed_b", "no mixed_b");
  if (type == "linear") base.divisor = factor;
  if (type != "ntk" || factor <= 1) return base;
  base.theta *= factor;
  base.divisor = std::pow(factor, 2 / static_cast<double>(head_dim));
  return base;
}

Rotary rotary_of(const RotaryBase& base, int64_t query_and_key_heads, int64_t head_dim) {
  return {{query_and_key_heads, head_dim, head_dim}, base};
}

}  // namespace st
