#include "core/memory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>

#include "core/sizes.h"
#if defined(__linux__)
#include <sys/mman.h>

#include <cstdlib>
#endif

namespace st {

at::Tensor empty_in_huge_pages(at::IntArrayRef shape, at::ScalarType type, at::Device device) {
  const at::TensorOptions options = at::TensorOptions().dtype(type).device(device);
#if defined(__linux__)
  constexpr size_t kPage = 2 << 20;
  const auto each = static_cast<int64_t>(c10::elementSize(type));
  auto bytes = static_cast<size_t>(checked_product("a tensor", {checked_product("a tensor", shape), each}));
  if (device.is_cpu() && bytes >= 2 * kPage) {
    bytes = (bytes + kPage - 1) / kPage * kPage;
    if (void* memory = std::aligned_alloc(kPage, bytes)) {
      madvise(memory, bytes, MADV_HUGEPAGE);
      return at::from_blob(memory, shape, [](void* data) { std::free(data); }, options);
    }
  }
#endif
  return at::empty(shape, options);
}

}  // namespace st
