#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/packed.h"
#include "core/tensor_range.h"

namespace st {

struct EncoderSpec {
  std::string architecture;
  Config config;
  std::vector<Config> modules;
  bool pooler = false;
  std::string device = "cpu";
  std::string dtype = "float32";
};

enum class EncoderOutput { kSentenceEmbedding, kTokenEmbeddings, kPoolerOutput, kHiddenStates };

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
