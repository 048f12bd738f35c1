#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace st {

// How a parameter is trained: with weight decay, without, or not at all. kHalved: not trained, and stored in the
// compute dtype alone.
enum class Group { kDecay, kNoDecay, kFrozen, kHalved };

inline bool is_trained(Group group) {
  return group == Group::kDecay || group == Group::kNoDecay;
}

struct TensorInfo {
  std::string name;
  std::vector<int64_t> shape;
  Group group;
  std::string block = {};  // second name of the fused block to which the tensor belongs; empty without one
  bool linear = false;     // the matrix of a linear layer, or a part of one
};

// Elements [start, start + count) of tensor `name`, where count = bytes / size of an element of `dtype` (F64, F32,
// F16, BF16). The memory is borrowed from the caller. load reads it, dump fills it.
struct TensorRange {
  std::string name;
  int64_t start = 0;
  std::string dtype;
  void* data = nullptr;
  int64_t bytes = 0;
};

}  // namespace st
