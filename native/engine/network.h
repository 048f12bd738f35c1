#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/error.h"
#include "engine/encoder.h"
#include "models/head.h"
#include "models/model.h"

namespace st {

// The transformer and its heads over one set of parameters. forward_training() and backward() are the cut that losses
// stand on: pooled embeddings out, their gradient in. The transformer's backward is written by hand; the heads' is
// autograd's.
class Network {
 public:
  explicit Network(const EncoderSpec& spec);
  // Reserves the parameters, the first time: too long for the constructor, which runs on the JavaScript thread.
  void prepare();

  const Model& model() const { return *model_; }
  int64_t embedding_width() const { return width_; }
  at::Device device() const { return device_; }
  Parameters& parameters() { return parameters_; }
  Workspace& workspace() { return workspace_; }
  void validate(const PackedBatch& batch) const;
  at::ScalarType compute() const { return compute_; }
  void set_compute(at::ScalarType compute);

  // [rows, width], [T, width] or [rows, width] in the master dtype.
  at::Tensor encode(const Input& input, EncoderOutput output);
  at::Tensor forward_training(const Input& input, const DropoutKey& dropout);
  void backward(const Input& input, const DropoutKey& dropout, const at::Tensor& d_embeddings_RD, Gradients& gradients);
  void dispose();

 private:
  at::Tensor run_heads(const Input& input, const at::Tensor& tokens_TD,
                       const std::vector<at::Tensor>& parameters) const;

  at::Device device_;
  at::ScalarType compute_;
  Parameters parameters_;
  Workspace workspace_;
  std::unique_ptr<Model> model_;
  std::vector<std::unique_ptr<Head>> heads_;
  std::vector<ParamId> head_parameters_;
  int64_t width_ = 0;
  // Of the last training pass.
  at::Tensor tokens_TD_, embeddings_RD_;
  std::vector<at::Tensor> leaves_;
};

struct Encoder::Impl {
  explicit Impl(const EncoderSpec& spec) : network(spec) {}
  Network network;
  std::atomic<bool> disposed{false};
  std::atomic<bool> has_trainer{false};

  void check_open() const { check(!disposed, "ERR_DISPOSED", "The encoder was disposed"); }

  Network& open() {
    check_open();
    network.prepare();
    return network;
  }
};

}  // namespace st
