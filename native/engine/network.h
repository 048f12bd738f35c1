#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/parameters.h"
#include "engine/spec.h"
#include "models/description.h"
#include "models/head.h"
#include "models/model.h"
#include "models/seq2seq.h"
#include "onnx/graph.h"

namespace st {

// The transformer and its heads over one set of parameters. It encodes. TrainingPass trains it.
class Network {
 public:
  explicit Network(const EncoderSpec& spec);
  // Outputs of a training pass, in the master dtype and detached from the network: [rows, width]; on request the same
  // for each layer, and [T, width of a token].
  struct Output {
    at::Tensor embeddings_RD;
    std::vector<at::Tensor> layers_RD;
    at::Tensor tokens_TD;
    // Of a model with a vector for each token, whose embeddings_RD are the vectors of all rows: where each row begins,
    // [rows + 1]. Else empty.
    std::vector<int32_t> offsets;
    at::Tensor reconstruction_RPD;  // on request, of a model with a SparseAutoEncoder
  };
  struct Wanted {
    bool layers = false, tokens = false;
    bool recompute = false;  // keep only the inputs of layers
    bool drops = true;
    bool hold_bias = false;  // a classifier's bias gets no gradient
    bool reconstruction = false;
    int64_t column_rows = 0;  // see LatentsWanted
    size_t chain = 0;         // of modules that the rows pass
  };
  // Another network of the same shape and values, on its own parameters.
  std::unique_ptr<Network> copy();

  // Reserves the parameters on the first call. The constructor runs on the JavaScript thread, where this would take
  // too long.
  void prepare();

  // Of a model in bfloat16, the large matrices have bfloat16 values alone until they are to be trained, or get values
  // that bfloat16 does not hold. This gives all parameters masters, with the same values.
  void make_masters();
  // make_masters() where a range needs it. Call it before prepare() for the first ranges.
  void expect(const std::vector<TensorRange>& ranges);

  // New values for these tensors, the same for the same seed; padding rows are 0.
  void initialize(const std::vector<std::string>& names, uint64_t seed);

  // Adapters, see Encoder.
  void add_adapter(const AdapterSpec& spec, uint64_t seed);
  void set_adapter(const std::string& name);
  void delete_adapter(const std::string& name);
  void merge_adapter(const std::string& name);
  std::vector<TensorInfo> adapter_tensors(const std::string& name) const;
  // Copies what the active adapter makes of a tensor.
  void dump_merged(const TensorRange& range) const;
  // Frees the gradients of these parameters, all of whose tensors are named, until thaw().
  void freeze(const std::function<bool(const std::string& name)>& frozen);
  void thaw();

  // Of the network without adapters. Safe while another thread changes adapters.
  std::vector<TensorInfo> tensors() const;
  // What encode() computes over padded rows: `last_hidden_state` and `sentence_embedding`, or the `logits` of a head
  // for a task. Its weights are to be read with what the active adapter adds. Safe while another thread changes
  // adapters.
  onnx::Model graph() const;
  // What is trained, with adapters: all but the blocks all of whose tensors are frozen.
  std::vector<TensorInfo> trained_tensors(const std::function<bool(const std::string& name)>& frozen) const;

  // Bytes that a training pass in this dtype keeps for each token, where blocks all of whose tensors are frozen rest.
  // Safe while another thread changes adapters.
  int64_t kept_per_token(
      bool recompute, at::ScalarType compute,
      const std::function<bool(const std::string& name)>& frozen = [](const std::string&) { return false; }) const;
  // Whether a training will make masters of parameters that have none yet.
  bool will_make_masters() const { return waits_ && adapters_.empty(); }

  const Model& model() const { return *model_; }
  // Null in an encoder alone.
  const Decoder* decoder() const { return decoder_.get(); }
  const GeneratorSpec& generator() const { return *generator_; }
  Workspace& decoder_workspace() { return decoder_workspace_; }
  // Of all chains: of an embedding, or of a vector.
  int64_t embedding_width() const { return chains_[0].width; }
  // Whether the modules leave a vector for each token (of those that count), in place of one embedding.
  bool is_multi_vector() const { return chains_[0].vectors; }
  // Whether all chains end in a SparseAutoEncoder, and whether one has it.
  bool reconstructs() const;
  bool counts_passes() const { return counts_passes_; }
  size_t chains() const { return chains_.size(); }
  at::Device device() const { return device_; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  Workspace& workspace() { return workspace_; }
  void validate(const PackedBatch& batch) const;
  at::ScalarType compute() const { return compute_; }
  // Whether the weights have 8 bits, which encode but cannot train.
  bool int8() const { return int8_; }
  // Whether a training pass is under way. It relies on unchanged weights.
  bool is_passed() const { return passes_ > 0; }
  // Whether a training pass accepts an input at a fixed address.
  bool takes_fixed() const;
  void set_compute(at::ScalarType compute);

  // [rows, width], [T, width], [rows, width], [layers + 1, T, width] or [vectors, width] in the master dtype.
  // `counts`: gets the number of vectors of each row, where these are asked for.
  // `active_dims`: see LatentsWanted.
  at::Tensor encode(const Rows& batch, EncoderOutput output, size_t chain = 0, std::vector<int32_t>* counts = nullptr,
                    int64_t active_dims = 0);
  void dispose();

 private:
  friend class TrainingPass;
  // Modules after the transformer that rows pass in this order. Those with parameters may be in several chains.
  struct Chain {
    std::vector<std::shared_ptr<Head>> heads;
    int64_t width = 0;     // of the embedding, or of a vector, at its end
    bool vectors = false;  // whether it leaves a vector for each token
  };
  Chain make_chain(const std::vector<int64_t>& modules, std::map<int64_t, std::shared_ptr<Head>>& shared,
                   Layout& layout);
  std::unique_ptr<Head> make_head_at(size_t index, int64_t width_in, bool vectors, Layout& layout) const;
  // The layout that callers are told of: halved parameters that wait for masters have their groups in it.
  const Layout& shown() const;
  // Whether a parameter of the transformer is only read in the compute dtype, or by rows.
  bool can_be_halved(const TensorInfo& info) const;
  // The groups of all parameters but those of adapters. Not finished.
  Layout without_adapters() const;
  // Gives all parameters their places: those of the model, of the modules and of adapters.
  void arrange();
  // Changes what arrange() reads, and arranges: both or neither.
  void rearrange(const std::function<void()>& change);
  std::map<ParamId, LowRank> add_to(Layout& layout, const AdapterSpec& adapter, bool active) const;
  std::vector<AdapterSpec>::iterator find_adapter(const std::string& name);
  Initial initial(const TensorInfo& info) const;
  at::Tensor encode(const Input& input, EncoderOutput output, size_t chain, std::vector<int32_t>* counts,
                    int64_t active_dims);
  // Whether encode() needs no token embeddings: these are rows of a table that the first head reads itself.
  bool skips_tokens(EncoderOutput output, size_t chain) const;
  // `outputs_TD`: those of all layers, in the master dtype; empty unless a head reads them.
  // `rows_KD`: of head_rows().
  HeadState run_heads(size_t chain, const Pass& pass, const at::Tensor& tokens_TD,
                      const std::vector<at::Tensor>& outputs_TD, const std::vector<at::Tensor>& parameters,
                      const at::Tensor& rows_KD, const LatentsWanted& latents) const;
  // The rows of a matrix that a head reads, up to date and in the master dtype; undefined where none does.
  at::Tensor head_rows() const;

  EncoderSpec spec_;
  at::Device device_;
  at::ScalarType compute_;
  bool int8_;
  Parameters parameters_;
  Workspace workspace_;  // memory that no training pass has borrowed
  int passes_ = 0;       // number of training passes under way
  Layout bare_;          // without adapters, and with masters
  bool waits_ = false;   // whether masters are made when they are needed
  std::vector<AdapterSpec> adapters_;
  std::string active_adapter_;       // empty: none
  std::vector<ParamId> frozen_;      // by freeze()
  mutable std::mutex layout_mutex_;  // for readers on other threads
  std::unique_ptr<Model> model_;
  std::unique_ptr<Decoder> decoder_;
  std::optional<GeneratorSpec> generator_;
  Workspace decoder_workspace_;
  std::vector<Chain> chains_;
  std::vector<ParamId> head_parameters_, bare_head_parameters_;
  std::optional<ParameterRows> rows_;  // that a head reads
  bool reads_outputs_ = false;         // whether a head reads the outputs of all layers
  bool counts_passes_ = false;         // whether a head is a SparseAutoEncoder
};

// How the rows of a column pass an encoder: through which network, by which of its chains, and into which of the
// trainer's sets of gradients.
struct Route {
  Network* network;
  size_t chain, set;
  bool operator==(const Route& other) const = default;
};

}  // namespace st
