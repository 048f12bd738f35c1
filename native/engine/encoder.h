#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor_range.h"
#include "engine/routed_batch.h"
#include "engine/spec.h"
#include "onnx/graph.h"

namespace st {

// A transformer with its pooling and head modules, or several of them with routes through each. The constructor checks
// the spec and lays out the parameters. All calls but the readers below belong on the executor thread.
class Encoder {
 public:
  explicit Encoder(const EncoderSpec& spec);
  ~Encoder();

  int64_t embedding_dimension() const;
  int64_t token_dimension() const;
  int64_t max_positions() const;
  int64_t training_bytes_per_token() const;
  std::vector<TensorInfo> tensors() const;  // without adapters; those of the second network begin with "1:"
  onnx::Model graph() const;                // see Network

  // Adapters by name, one of which is active at most. While there is one, the transformer is frozen, and only the
  // active adapter and the modules behind the transformer are trained. All throw ERR_BUSY while there is a trainer.
  //
  // With the initial values of PEFT, drawn with `seed`; it becomes the active one.
  void add_adapter(const AdapterSpec& spec, uint64_t seed);
  // "" = none.
  void set_adapter(const std::string& name);
  void delete_adapter(const std::string& name);
  // Adds it to the weights and deletes it.
  void merge_adapter(const std::string& name);
  std::vector<TensorInfo> adapter_tensors(const std::string& name) const;  // empty for an unknown name

  // Throws ERR_BUSY between the two halves of a training step. `last` is false when more ranges follow at once;
  // copies that are derived from the weights are then made with the last ones.
  void load(const std::vector<TensorRange>& ranges, bool last = true);
  // `merged`: with what the active adapter adds.
  void dump(const std::vector<TensorRange>& ranges, bool merged = false);
  // Gives these tensors the values of a new model, drawn with `seed`. Throws ERR_BUSY as load() does.
  void initialize(const std::vector<std::string>& names, uint64_t seed);
  // `out` has `size` floats. Throws unless `output` needs exactly that many for the batch.
  void encode(const RoutedBatch& batch, EncoderOutput output, float* out, int64_t size);
  // Of a model with a vector for each token: `out` has room for one of each token of the batch, of which those of all
  // rows come first, one row after the other; `counts` gets how many each row has.
  void encode_vectors(const RoutedBatch& batch, float* out, int64_t size, int32_t* counts, int64_t rows);
  // Frees the weights and workspaces. Every later call throws ERR_DISPOSED.
  void dispose();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace st
