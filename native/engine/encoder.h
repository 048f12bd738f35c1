#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/packed.h"
#include "core/tensor_range.h"
#include "engine/spec.h"

namespace st {

// A transformer with its pooling and head modules. The constructor checks the spec and lays out the parameters. All
// calls but the readers below belong on the executor thread.
class Encoder {
 public:
  explicit Encoder(const EncoderSpec& spec);
  ~Encoder();

  int64_t embedding_dimension() const;
  int64_t token_dimension() const;
  int64_t max_positions() const;
  int64_t training_bytes_per_token() const;
  std::vector<TensorInfo> tensors() const;

  // Throws ERR_BUSY between the two halves of a training step. `last` is false when more ranges follow at once;
  // copies that are derived from the weights are then made with the last ones.
  void load(const std::vector<TensorRange>& ranges, bool last = true);
  void dump(const std::vector<TensorRange>& ranges);
  // Gives these tensors the values of a new model, drawn with `seed`. Throws ERR_BUSY as load() does.
  void initialize(const std::vector<std::string>& names, uint64_t seed);
  // `out` has `size` floats. Throws unless `output` needs exactly that many for the batch.
  void encode(const PackedBatch& batch, EncoderOutput output, float* out, int64_t size);
  // Frees the weights and workspaces. Every later call throws ERR_DISPOSED.
  void dispose();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace st
