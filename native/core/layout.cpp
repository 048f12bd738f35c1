#include "core/layout.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <c10/core/ScalarType.h>

#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/finite.h"
#include "core/sizes.h"

namespace st {

namespace {

constexpr int64_t kAlign = 16;  // elements: 64 bytes of float32, so that a block starts on a cache line

at::ScalarType scalar_type(const TensorRange& range) {
  if (range.dtype == "F32") return at::kFloat;
  if (range.dtype == "F64") return at::kDouble;
  if (range.dtype == "F16") return at::kHalf;
  if (range.dtype == "BF16") return at::kBFloat16;
  if (range.dtype == "I64") return at::kLong;
  fail("ERR_INVALID_TENSORS", "Expected dtype F64, F32, F16, BF16 or I64 for tensor ", range.name, " but found ",
       range.dtype);
}

at::Tensor borrowed(const TensorRange& range) {
  const at::ScalarType type = scalar_type(range);
  return at::from_blob(range.data, {range.bytes / static_cast<int64_t>(c10::elementSize(type))}, type);
}

}  // namespace

ParamId Layout::add(const std::string& name, std::vector<int64_t> shape, Group group) {
  return add_fused({{name, std::move(shape)}}, group);
}

ParamId Layout::add_fused(const std::vector<Part>& parts, Group group, const std::string& second_name) {
  const ParamId id = static_cast<ParamId>(blocks_.size());
  std::vector<int64_t> whole = parts[0].shape;
  if (!whole.empty()) whole[0] = 0;
  int64_t numel = 0;
  for (const Part& part : parts) {
    const int64_t count = checked_product(part.name, part.shape);
    size_ += count;  // until finish() the sum without padding
    check(size_ <= kMostParameters, "ERR_INVALID_ARGUMENT", "Expected at most ", kMostParameters,
          " parameters, but with ", part.name, " there are ", size_);
    named_[part.name] = ordered_.size();
    ordered_.push_back({{part.name, part.shape, group, second_name}, id, numel, count});
    if (!whole.empty()) whole[0] += part.shape[0];
    numel += count;
  }
  if (!second_name.empty()) second_names_[second_name] = id;
  blocks_.push_back({whole, group, 0, numel});
  return id;
}

void Layout::mark_linear(ParamId id) {
  blocks_[static_cast<size_t>(id)].linear = true;
  for (Named& named : ordered_) named.info.linear = named.info.linear || named.block == id;
}

void Layout::regroup(ParamId id, Group group) {
  blocks_[static_cast<size_t>(id)].group = group;
  for (Named& named : ordered_) {
    if (named.block == id) named.info.group = group;
  }
}

void Layout::finish() {
  // Returns on a second call, because another thread may be reading the layout.
  if (trained_end_ >= 0) return;
  size_ = 0;
  for (Group group : {Group::kDecay, Group::kNoDecay, Group::kFrozen, Group::kHalved}) {
    for (Block& block : blocks_) {
      if (block.group != group) continue;
      block.offset = size_;
      size_ += (block.numel + kAlign - 1) / kAlign * kAlign;
    }
    if (group == Group::kDecay) decay_end_ = size_;
    if (group == Group::kNoDecay) trained_end_ = size_;
    if (group == Group::kFrozen) mastered_end_ = size_;
  }
}

std::vector<TensorInfo> Layout::tensors(bool trained_only) const {
  std::vector<TensorInfo> out;
  for (const Named& named : ordered_) {
    if (!trained_only || is_trained(named.info.group)) out.push_back(named.info);
  }
  return out;
}

std::vector<TensorInfo> Layout::tensors_of(ParamId id) const {
  std::vector<TensorInfo> out;
  for (const Named& named : ordered_) {
    if (named.block == id) out.push_back(named.info);
  }
  return out;
}

std::vector<ParamId> Layout::frozen_blocks(const std::function<bool(const std::string& name)>& frozen) const {
  std::vector<bool> all(blocks_.size(), true);
  for (const Named& named : ordered_) {
    if (!frozen(named.info.name)) all[static_cast<size_t>(named.block)] = false;
  }
  std::vector<ParamId> out;
  for (size_t id = 0; id < all.size(); ++id) {
    if (all[id]) out.push_back(static_cast<ParamId>(id));
  }
  return out;
}

at::Tensor Layout::view(const at::Tensor& flat, ParamId id) const {
  const Block& block = blocks_[id];
  return flat.narrow(0, block.offset, block.numel).view(block.shape);
}

std::vector<at::Tensor> Layout::views(const at::Tensor& flat, int64_t first) const {
  std::vector<at::Tensor> out;
  for (const Block& block : blocks_) {
    const int64_t begin = block.offset - first;
    const bool inside = begin >= 0 && begin + block.numel <= flat.numel();
    out.push_back(inside ? flat.narrow(0, begin, block.numel).view(block.shape) : at::Tensor());
  }
  return out;
}

Layout::Span Layout::span(const std::string& name) const {
  if (auto found = named_.find(name); found != named_.end()) {
    const Named& named = ordered_[found->second];
    return {blocks_[named.block].offset + named.begin, named.numel};
  }
  const Block& block = blocks_[static_cast<size_t>(block_of(name))];
  return {block.offset, block.numel};
}

ParamId Layout::block_of(const std::string& name) const {
  if (auto found = named_.find(name); found != named_.end()) return ordered_[found->second].block;
  auto found = second_names_.find(name);
  check(found != second_names_.end(), "ERR_INVALID_TENSORS", "There is no tensor named ", name);
  return found->second;
}

Layout::MatrixRows Layout::rows_of(const std::string& name) const {
  const Span whole = span(name);
  const ParamId id = block_of(name);
  const Block& block = blocks_[static_cast<size_t>(id)];
  const int64_t columns = block.shape[0] > 0 ? block.numel / block.shape[0] : 0;
  check(block.shape.size() == 2 && columns > 0, "ERR_INVALID_TENSORS", "Tensor ", name, " is no matrix");
  return {id, (whole.offset - block.offset) / columns, whole.count / columns, columns, block.linear};
}

at::Tensor Layout::named_view(const at::Tensor& flat, const TensorInfo& info) const {
  const Span at = span(info.name);
  return flat.narrow(0, at.offset, at.count).view(info.shape);
}

Layout::Span Layout::locate(const TensorRange& range) const {
  const Span whole = span(range.name);
  const int64_t size = static_cast<int64_t>(c10::elementSize(scalar_type(range))), count = range.bytes / size;
  check(range.bytes % size == 0, "ERR_INVALID_TENSORS", "Expected whole ", range.dtype, " elements for tensor ",
        range.name, " but found ", range.bytes, " bytes");
  check(range.start >= 0 && range.start + count <= whole.count, "ERR_INVALID_TENSORS", "Tensor ", range.name, " has ",
        whole.count, " elements but the range is ", range.start, " to ", range.start + count);
  return {whole.offset + range.start, count};
}

void Layout::load(at::Tensor flat, const TensorRange& range, int64_t first) const {
  const Span span = locate(range);
  at::Tensor target = flat.narrow(0, span.offset - first, span.count);
  if (target.is_cpu() && target.scalar_type() == at::kFloat && scalar_type(range) == at::kFloat) {
    // On this thread, while the values are in its cache: LibTorch would wake all of them for this little.
    check(are_finite(range.data, range.bytes), "ERR_INVALID_TENSORS", "Tensor ", range.name, kNotFinite);
    std::memcpy(target.data_ptr<float>(), range.data, static_cast<size_t>(range.bytes));
    return;
  }
  const at::Tensor source = borrowed(range).to(target.scalar_type());
  // A finite sum proves that all terms are finite. An infinite one may only have overflowed.
  check(std::isfinite(source.sum().item<double>()) || at::isfinite(source).all().item<bool>(), "ERR_INVALID_TENSORS",
        "Tensor ", range.name, kNotFinite);
  target.copy_(source);
}

void Layout::dump(const at::Tensor& flat, const TensorRange& range, int64_t first) const {
  const Span span = locate(range);
  borrowed(range).copy_(flat.narrow(0, span.offset - first, span.count));
}

}  // namespace st
