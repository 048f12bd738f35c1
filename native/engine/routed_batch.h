#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/packed.h"

namespace st {

// A batch whose columns may go by different routes of an encoder.
struct RoutedBatch : PackedBatch {
  std::vector<int32_t> routes;  // [columns], or empty: all go by the first
  int64_t active_dims = 0;      // that a SparseAutoEncoder gives of a row, at most; 0: as many as it says

  RoutedBatch() = default;
  RoutedBatch(PackedBatch batch) : PackedBatch(std::move(batch)) {}
};

}  // namespace st
