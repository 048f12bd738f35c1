#include "models/initial.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <string_view>

#include "core/model_config.h"

namespace st {

namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

double initializer_range(const Config& config) {
  const double range = ModelConfig(config).number("initializer_range", 0.02, 0, 1e6);
  return range == 0 ? 0.02 : range;
}

Initial initial_vector(const std::string& name) {
  return {.mean = ends_with(name, ".weight") ? 1.0 : 0.0};
}

Initial usual_initial(const Config& config, const std::string& name, const std::vector<int64_t>& shape) {
  if (shape.size() == 1) return initial_vector(name);
  return {.deviation = initializer_range(config)};
}

Initial linear_initial(int64_t inputs) {
  return {.bound = 1 / std::sqrt(static_cast<double>(inputs))};
}

void draw(const Initial& initial, at::Tensor out, const at::Generator& generator) {
  const double mean = initial.mean, deviation = initial.deviation, cutoff = initial.cutoff, bound = initial.bound;
  if (deviation == 0 && bound == 0) {
    out.fill_(mean);
    return;
  }
  // On the host, so that a seed gives the same values on every device.
  at::Tensor values = at::empty(out.sizes(), out.options().device(at::kCPU));
  if (bound > 0) {
    values.uniform_(mean - bound, mean + bound, generator);
  } else if (cutoff > 0) {
    // The inverse of the distribution function, as torch.nn.init.trunc_normal_.
    const double most = std::erf(cutoff / std::sqrt(2.0));
    values.uniform_(-most, most, generator).erfinv_().mul_(deviation * std::sqrt(2.0)).add_(mean);
    values.clamp_(mean - cutoff * deviation, mean + cutoff * deviation);
  } else {
    values.normal_(mean, deviation, generator);
  }
  out.copy_(values);
}

}  // namespace st
