#pragma once

#include "core/philox.h"
#include "ops/input.h"

namespace st {

// The shape of everything that a recorded step reads of a batch.
struct StepShape {
  Bucket bucket;
  std::vector<int64_t> labels = {};  // their shape; empty where there are none
  bool integers = false;             // the labels
  bool text_ids = false;
  int64_t guide_width = 0;

  auto operator<=>(const StepShape&) const = default;
};

// Throws ERR_INVALID_ARGUMENT where the labels have another shape.
StepShape shape_of(const PackedBatch& batch, int64_t positions);

// Everything that a recorded step reads of a batch, in one buffer on the device with a fixed address. fill() writes
// the next batch to memory of the host, which is copied into the buffer in one piece.
class StaticInput {
 public:
  StaticInput(const StepShape& shape, at::Device device);

  int64_t words() const { return buffer_.numel(); }
  const at::Tensor& buffer() const { return buffer_; }  // int32
  // Writes words() numbers: the batch and its padding. Token types are always present.
  void fill(const PackedBatch& batch, const DropoutKey& key, int32_t* words) const;

  // The buffer's content, now or later. `padded` is padded(batch, bucket).
  Input input(const Rows& padded) const;
  at::Tensor labels() const;      // float or int32, of their shape; undefined where there are none
  at::Tensor text_ids_R() const;  // int32; undefined where there are none
  at::Tensor guide_RG() const;    // float; undefined where there is none

 private:
  // Offsets in words.
  int64_t key_ = 0, ids_, rows_, positions_, types_, offsets_, first_, labels_, text_ids_, guide_;
  int64_t label_count_ = 0;
  StepShape shape_;
  at::Tensor buffer_;
};

}  // namespace st
