#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace st {

enum class Group { kDecay, kNoDecay, kFrozen };

struct TensorInfo {
  std::string name;
  std::vector<int64_t> shape;
  Group group;
  std::string block = {};  // second name of the fused block that the tensor is a part of; empty: there is none
};

// Elements [start, start + count) of tensor `name`, where count = bytes / size of an element of `dtype` (F64, F32, F16,
// BF16). The memory is borrowed from the caller: read by load, filled by dump.
struct TensorRange {
  std::string name;
  int64_t start = 0;
  std::string dtype;
  void* data = nullptr;
  int64_t bytes = 0;
};

}  // namespace st
