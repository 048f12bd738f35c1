#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/error.h"
#include "engine/encoder.h"
#include "models/head.h"
#include "models/model.h"

namespace st {

// The transformer and its heads over one set of parameters. It encodes; a TrainingPass trains it.
class Network {
 public:
  explicit Network(const EncoderSpec& spec);
  // What a training pass gives, all in the master dtype and cut off from the network: [rows, width]; if asked for,
  // that of each layer, and [T, width of a token].
  struct Output {
    at::Tensor embeddings_RD;
    std::vector<at::Tensor> layers_RD;
    at::Tensor tokens_TD;
  };
  struct Wanted {
    bool layers = false, tokens = false;
    bool recompute = false;  // keep the inputs of layers alone
    bool drops = true;
    bool hold_bias = false;  // a classifier's bias gets no gradient
  };
  // Another network of the same shape and values, on its own parameters.
  std::unique_ptr<Network> copy();

  // Reserves the parameters, the first time: too long for the constructor, which runs on the JavaScript thread.
  void prepare();

  const Model& model() const { return *model_; }
  int64_t embedding_width() const { return width_; }
  at::Device device() const { return device_; }
  Parameters& parameters() { return parameters_; }
  Workspace& workspace() { return workspace_; }
  void validate(const PackedBatch& batch) const;
  at::ScalarType compute() const { return compute_; }
  // Whether it encodes with weights of 8 bits, and cannot train.
  bool int8() const { return int8_; }
  // Whether a training pass is under way, which counts on the weights as they are.
  bool is_passed() const { return passes_ > 0; }
  // Whether a training pass takes an input that is fixed.
  bool takes_fixed() const;
  void set_compute(at::ScalarType compute);

  // [rows, width], [T, width], [rows, width] or [layers + 1, T, width] in the master dtype.
  at::Tensor encode(const Rows& batch, EncoderOutput output);
  void dispose();

 private:
  friend class TrainingPass;
  at::Tensor encode(const Input& input, EncoderOutput output);
  // `outputs_TD`: of all layers, in the master dtype; empty unless a head reads them.
  at::Tensor run_heads(const Pass& pass, const at::Tensor& tokens_TD, const std::vector<at::Tensor>& outputs_TD,
                       const std::vector<at::Tensor>& parameters) const;

  EncoderSpec spec_;
  at::Device device_;
  at::ScalarType compute_;
  bool int8_;
  Parameters parameters_;
  Workspace workspace_;  // what no training pass holds
  int passes_ = 0;       // training passes under way
  std::unique_ptr<Model> model_;
  std::vector<std::unique_ptr<Head>> heads_;
  std::vector<ParamId> head_parameters_;
  int64_t width_ = 0;
  bool reads_outputs_ = false;  // whether some head does
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
