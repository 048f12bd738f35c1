#include "core/memory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>

#include "core/sizes.h"
#if defined(__linux__)
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#endif

namespace st {

#if defined(__linux__)
namespace {
constexpr size_t kPage = 2 << 20;

size_t bytes_of(at::IntArrayRef shape, at::ScalarType type) {
  const auto each = static_cast<int64_t>(c10::elementSize(type));
  return static_cast<size_t>(checked_product("a tensor", {checked_product("a tensor", shape), each}));
}

size_t whole_pages(size_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}
}  // namespace
#endif

at::Tensor empty_in_huge_pages(at::IntArrayRef shape, at::ScalarType type, at::Device device) {
  const at::TensorOptions options = at::TensorOptions().dtype(type).device(device);
#if defined(__linux__)
  size_t bytes = bytes_of(shape, type);
  if (device.is_cpu() && bytes >= 2 * kPage) {
    bytes = whole_pages(bytes);
    if (void* memory = std::aligned_alloc(kPage, bytes)) {
      madvise(memory, bytes, MADV_HUGEPAGE);
      return at::from_blob(memory, shape, [](void* data) { std::free(data); }, options);
    }
  }
#endif
  return at::empty(shape, options);
}

at::Tensor zeros_in_huge_pages(at::IntArrayRef shape, at::ScalarType type, at::Device device) {
#if defined(__linux__)
  const size_t bytes = bytes_of(shape, type);
  if (device.is_cpu() && bytes >= 2 * kPage) {
    // A page more than is used, so that a huge page may begin at the first element.
    const size_t size = whole_pages(bytes) + kPage;
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
      const size_t before = (kPage - reinterpret_cast<uintptr_t>(memory) % kPage) % kPage;
      void* data = static_cast<char*>(memory) + before;
      madvise(data, whole_pages(bytes), MADV_HUGEPAGE);
      const auto unmap = [memory, size](void*) { munmap(memory, size); };
      return at::from_blob(data, shape, unmap, at::TensorOptions().dtype(type).device(device));
    }
  }
#endif
  return empty_in_huge_pages(shape, type, device).zero_();
}

}  // namespace st
