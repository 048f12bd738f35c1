#include "engine/read_weights.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/finite.h"
#include "engine/encoder_impl.h"

namespace st {

namespace {

// Of values that are stored as they are: few enough to be in the core's cache when they are checked.
constexpr int64_t kStored = 256 * 1024;
// Of values that LibTorch converts with all threads.
constexpr int64_t kConverted = 4 * 1024 * 1024;

int64_t element_bytes(const std::string& dtype) {
  if (dtype == "F32") return 4;
  return dtype == "F16" || dtype == "BF16" ? 2 : 8;
}

// Where a range is stored; null where its values are converted or go to a device, and for a range that load() refuses.
char* place_of(Encoder& encoder, TensorRange range) {
  Network& network = encoder.impl().network_of(range.name);
  network.expect({range});
  encoder.load({}, false);
  Parameters& parameters = network.parameters();
  const int64_t count = parameters.layout.span(range.name).count, each = sizeof(float);
  const bool fits = range.bytes % each == 0 && range.start + range.bytes / each <= count;
  if (range.dtype != "F32" || !fits) return nullptr;
  const at::Tensor all = parameters.stored({.name = range.name, .shape = {count}, .group = Group::kFrozen});
  if (all.scalar_type() != at::kFloat || !all.is_cpu()) return nullptr;
  parameters.settle();
  return reinterpret_cast<char*>(all.data_ptr<float>() + range.start);
}

}  // namespace

void read_weights(Encoder& encoder, const TensorRange& range, const ReadBytes& read, bool last) {
  char* const place = place_of(encoder, range);
  std::vector<char> buffer;
  const int64_t each = place != nullptr ? kStored : kConverted;
  for (int64_t begin = 0; begin < range.bytes; begin += each) {
    TensorRange part = range;
    part.bytes = std::min(each, range.bytes - begin);
    part.start += begin / element_bytes(range.dtype);
    if (place != nullptr) {
      read(begin, place + begin, part.bytes);
      check(are_finite(place + begin, part.bytes), "ERR_INVALID_TENSORS", "Tensor ", range.name, kNotFinite);
    } else {
      buffer.resize(static_cast<size_t>(part.bytes));
      read(begin, buffer.data(), part.bytes);
      part.data = buffer.data();
      encoder.load({part}, false);
    }
  }
  if (last) encoder.load({}, true);
}

}  // namespace st
