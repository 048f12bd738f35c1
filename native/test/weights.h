#pragma once

#include <map>
#include <string>
#include <vector>

#include "support.h"

namespace st::test {

// Named tensors in memory, for anything with tensors(), load() and dump().
using Weights = std::map<std::string, std::vector<float>>;

template <typename Owner>
Weights random_weights(const Owner& owner, uint64_t seed) {
  Weights out;
  for (const TensorInfo& info : owner.tensors()) {
    const at::Tensor values = random_tensor(info.shape, at::kFloat, ++seed * 1000, 0.7);
    const float* from = values.template data_ptr<float>();
    out[info.name].assign(from, from + values.numel());
  }
  return out;
}

template <typename Owner>
void load_weights(Owner& owner, Weights weights) {
  std::vector<TensorRange> ranges;
  for (auto& [name, values] : weights) {
    ranges.push_back({name, 0, "F32", values.data(), static_cast<int64_t>(values.size() * sizeof(float))});
  }
  owner.load(ranges);
}

// Those whose names start with `prefix`, as float32 or (T = double) float64.
template <typename T = float, typename Owner>
std::map<std::string, std::vector<T>> dump_weights(Owner& owner, const std::string& prefix = "") {
  std::map<std::string, std::vector<T>> out;
  std::vector<TensorRange> ranges;
  for (const TensorInfo& info : owner.tensors()) {
    if (info.name.rfind(prefix, 0) != 0) continue;
    int64_t count = 1;
    for (int64_t size : info.shape) count *= size;
    std::vector<T>& values = out[info.name];
    values.resize(count);
    ranges.push_back(
        {info.name, 0, sizeof(T) == 4 ? "F32" : "F64", values.data(), static_cast<int64_t>(count * sizeof(T))});
  }
  owner.dump(ranges);
  return out;
}

}  // namespace st::test
