#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/tensor_range.h"

namespace st {

using ParamId = int;

// The places of all parameters in a flat vector: first those with weight decay, then those without, then the frozen
// ones, and last those that are halved. Values, gradients and moments share one layout. Several named tensors may be
// fused into one block along dimension 0.
class Layout {
 public:
  ParamId add(const std::string& name, std::vector<int64_t> shape, Group group);
  struct Part {
    std::string name;
    std::vector<int64_t> shape;
  };
  // The shapes of the parts may differ only in dimension 0. `second_name`: the whole block's name in other files.
  // Ranges of the block are also loaded and dumped under that name.
  ParamId add_fused(const std::vector<Part>& parts, Group group, const std::string& second_name = "");
  // Says that the block is the matrix of a linear layer.
  void mark_linear(ParamId id);
  void finish();  // assigns the offsets on the first call; nothing may be added after it

  // For a copy that gets other groups and further parameters before its own finish().
  void reopen() { trained_end_ = -1; }
  void regroup(ParamId id, Group group);
  Group group(ParamId id) const { return blocks_[static_cast<size_t>(id)].group; }
  ParamId count() const { return static_cast<ParamId>(blocks_.size()); }

  int64_t size() const { return size_; }  // after finish()
  int64_t decay_end() const { return decay_end_; }
  int64_t trained_end() const { return trained_end_; }
  int64_t mastered_end() const { return mastered_end_; }  // here the halved parameters begin
  std::vector<TensorInfo> tensors(bool trained_only = false) const;
  // Of one block, in their order.
  std::vector<TensorInfo> tensors_of(ParamId id) const;
  // The parameters all of whose tensors are frozen according to `frozen`.
  std::vector<ParamId> frozen_blocks(const std::function<bool(const std::string& name)>& frozen) const;

  struct Span {
    int64_t offset;
    int64_t count;
  };
  // The place of a tensor, or of a block by its second name. Throws ERR_INVALID_TENSORS for an unknown name.
  Span span(const std::string& name) const;
  // The same as rows of a matrix.
  struct MatrixRows {
    ParamId block;
    int64_t begin, count, columns;
    bool linear;
  };
  MatrixRows rows_of(const std::string& name) const;
  ParamId block_of(const std::string& name) const;
  // Tensor `name` in its own shape, also if it is a part of a fused block.
  at::Tensor named_view(const at::Tensor& flat, const TensorInfo& info) const;

  at::Tensor view(const at::Tensor& flat, ParamId id) const;
  // By ParamId; undefined for those that do not lie in `flat`, which starts at the place `first`.
  std::vector<at::Tensor> views(const at::Tensor& flat, int64_t first = 0) const;

  // Copies between the caller's memory and `flat`, which starts at the place `first`. load refuses values that are not
  // finite.
  void load(at::Tensor flat, const TensorRange& range, int64_t first = 0) const;
  void dump(const at::Tensor& flat, const TensorRange& range, int64_t first = 0) const;
  bool contains(const std::string& name) const { return named_.count(name) > 0; }

 private:
  struct Block {
    std::vector<int64_t> shape;
    Group group;
    int64_t offset = 0;
    int64_t numel = 0;
    bool linear = false;
  };
  struct Named {
    TensorInfo info;
    ParamId block;
    int64_t begin, numel;  // in the block
  };
  Span locate(const TensorRange& range) const;

  std::vector<Block> blocks_;
  std::vector<Named> ordered_;
  std::unordered_map<std::string, size_t> named_;
  std::unordered_map<std::string, ParamId> second_names_;  // of blocks
  int64_t size_ = 0, decay_end_ = 0, mastered_end_ = 0;
  int64_t trained_end_ = -1;  // until finish()
};

}  // namespace st
