#pragma once

#include <napi.h>

#include <cstdint>
#include <vector>

#include "core/tensor_range.h"
#include "engine/encoder.h"

namespace st::binding {

// Elements of a tensor, and where their bytes begin in a file. `range.data` is null.
struct FileRange {
  TensorRange range;
  int64_t position = 0;
};

std::vector<FileRange> to_file_ranges(Napi::Value value);

// Encoder::load of bytes of an open file.
void load_from_file(Encoder& encoder, int file, const std::vector<FileRange>& ranges, bool last);

}  // namespace st::binding
