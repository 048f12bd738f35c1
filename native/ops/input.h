#pragma once

#include <ATen/core/Tensor.h>

#include "core/packed.h"

namespace st {

// A packed batch on its device, with what every token knows of its place.
struct Input {
  Input(const PackedBatch& batch, at::Device device);

  const PackedBatch& batch;
  at::Tensor ids_T;        // int32
  at::Tensor types_T;      // int32; undefined = all 0
  at::Tensor rows_T;       // int32: the row of each token
  at::Tensor positions_T;  // int32: its position in the row

  int64_t tokens() const { return batch.tokens(); }
};

}  // namespace st
