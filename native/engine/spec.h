#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"

// What callers ask of the engine: see lib/native/types.ts.
namespace st {

class Collective;
class StepGraphs;

struct EncoderSpec {
  std::string architecture;
  Config config;
  std::vector<Config> modules;
  bool pooler = false;
  bool decoder = false;   // with the decoder of the architecture's model for text to text
  bool own_head = false;  // whether the last layer over the words has a matrix of its own, not the table of words
  // Ways through the modules, by their index; empty: one way through all.
  std::vector<std::vector<int64_t>> routes;
  // Further transformers with modules of their own; their routes are counted on. Of each, architecture, config,
  // modules, pooler and routes are read.
  std::vector<EncoderSpec> others;
  std::string device = "cpu";
  std::string dtype = "float32";
};

// Low-rank additions to matrices of the transformer: W + scale B A, with scale = alpha / rank, or alpha / sqrt(rank)
// where `rank_stabilized`.
struct AdapterSpec {
  struct Target {
    std::string name;  // of a linear layer's weight, or of a block of them
    int64_t rank;
    double alpha;
  };
  std::string name;
  double dropout = 0;
  bool rank_stabilized = false;
  std::vector<Target> targets;
};

// kVectors: what the modules of a model with a vector for each token make of the tokens.
enum class EncoderOutput { kSentenceEmbedding, kTokenEmbeddings, kPoolerOutput, kHiddenStates, kVectors };

struct NamedLoss {
  std::string name;  // empty where there is one loss
  Config spec;
  bool gathers = false;  // with several processes: it sees the embeddings of all of them
};

struct TrainerSpec {
  std::vector<NamedLoss> losses;
  Config optimizer;
  double weight_decay = 0;
  double max_grad_norm = 1;  // 0 = no clipping
  uint64_t seed = 0;
  // float32, bfloat16 or, on a GPU, float16 while this trainer lives; empty = the encoder's own
  std::string precision;
  bool loss_scaler = false;  // see LossScaler
  bool activation_checkpointing = false;
  bool compat_loss_gradients = false;
  std::shared_ptr<Collective> ranks;  // the processes that train this model together; null: this one alone
  bool without_waiting = false;       // a GPU's kind of step on the CPU, and float16 there, for tests
  // How steps are recorded. Null: by the device's recorder, where SENTENCE_TORCH_CUDA_GRAPHS=1. Set by tests.
  std::shared_ptr<StepGraphs> graphs;
};

struct StepOptions {
  std::vector<double> rates = {0};  // one, or one per group
  double loss_scale = 1;
  bool update = true;
  bool report = false;
  int64_t loss = 0;
  int64_t mini_batch_rows = 0;  // 0 = all at once
  int64_t mini_batch_tokens = 0;
  bool recompute = false;             // as TrainerSpec::activation_checkpointing, for this batch
  std::vector<double> requests = {};  // with several processes: their sums over all of them are reported
};

struct ExternalLoss {
  double loss = 0;
  std::vector<float> embeddings;                         // [rows, width]
  std::map<std::string, std::vector<float>> parameters;  // by full name
  std::map<std::string, double> components;
};

}  // namespace st
