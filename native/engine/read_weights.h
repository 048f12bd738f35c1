#pragma once

#include <cstdint>
#include <functional>

#include "core/tensor_range.h"
#include "engine/encoder.h"

namespace st {

// Fills `into` with the bytes [begin, begin + bytes) of a range. Throws where it cannot.
using ReadBytes = std::function<void(int64_t begin, void* into, int64_t bytes)>;

// Encoder::load of a range without data, whose bytes `read` brings: right to their place where they are stored as they
// are. Of a range that cannot be read, or is not finite, elements may have changed.
void read_weights(Encoder& encoder, const TensorRange& range, const ReadBytes& read, bool last);

}  // namespace st
