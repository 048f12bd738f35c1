#include "core/workspace.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>

#include <algorithm>

#include "core/memory.h"
#include "core/sizes.h"

namespace st {

namespace {
constexpr int64_t kAlign = 64;
constexpr int64_t kSmallestBlock = 16 << 20;
}  // namespace

at::Tensor Workspace::take(at::IntArrayRef shape, at::ScalarType type) {
  const auto each = static_cast<int64_t>(c10::elementSize(type));
  int64_t bytes = checked_product("a tensor", {checked_product("a tensor", shape), each});
  if (device_.is_meta()) {
    used_ += bytes;
    return at::empty(shape, at::TensorOptions().dtype(type).device(device_));
  }
  bytes = (bytes + kAlign - 1) / kAlign * kAlign;
  while (current_ < blocks_.size() && used_ + bytes > blocks_[current_].numel()) {
    ++current_;
    used_ = 0;
  }
  if (current_ == blocks_.size()) {
    const int64_t size = std::max({bytes, kSmallestBlock, this->bytes() / 4});
    blocks_.push_back(empty_in_huge_pages({size}, at::kByte, device_));
    used_ = 0;
  }
  void* data = static_cast<char*>(blocks_[current_].data_ptr()) + used_;
  used_ += bytes;
  return at::from_blob(data, shape, at::TensorOptions().dtype(type).device(device_));
}

void Workspace::release(const Mark& mark) {
  current_ = mark.block;
  used_ = mark.used;
}

void Workspace::reset() {
  if (blocks_.size() > 1) {
    const int64_t total = bytes();
    blocks_.clear();
    blocks_.push_back(empty_in_huge_pages({total}, at::kByte, device_));
  }
  current_ = 0;
  used_ = 0;
}

int64_t Workspace::bytes() const {
  int64_t total = 0;
  for (const at::Tensor& block : blocks_) total += block.numel();
  return total;
}

}  // namespace st
