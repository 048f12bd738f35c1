#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/encoder.h"

namespace st {

class StepGraphs;

struct NamedLoss {
  std::string name;  // empty where there is one loss
  Config spec;
};

// See TrainerSpec, StepOptions, ... of lib/native/types.ts.
struct TrainerSpec {
  std::vector<NamedLoss> losses;
  Config optimizer;
  double weight_decay = 0;
  double max_grad_norm = 1;  // 0 = no clipping
  uint64_t seed = 0;
  std::string precision;  // float32 or bfloat16 while this trainer lives; empty = the encoder's own
  bool activation_checkpointing = false;
  bool compat_loss_gradients = false;
  bool without_waiting = false;  // a GPU's kind of step on the CPU, for tests
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
};

struct StepReport {
  double loss = 0;
  int64_t batches = 0;
  std::map<std::string, double> components;
  double grad_norm = 0;
  int64_t updates = 0;
  int64_t skipped = 0;
  double forward_ms = 0, backward_ms = 0, optimizer_ms = 0;
  int64_t tokens = 0;
  double mean_cosine = 0;
  std::map<std::string, int64_t> graphs;  // StepGraphs::counts(); empty where steps are not recorded
};

struct ExternalLoss {
  double loss = 0;
  std::vector<float> embeddings;                         // [rows, width]
  std::map<std::string, std::vector<float>> parameters;  // by full name
  std::map<std::string, double> components;
};

struct Evaluation {
  double loss = 0;
  std::map<std::string, double> components;
};

// Losses, gradients and optimiser over one encoder. The constructor throws ERR_BUSY when the encoder already has a
// trainer. Calls belong on the executor thread, except: the constructor; tensors(), at any time; set_groups(), before
// the first call of anything else.
class Trainer {
 public:
  Trainer(std::shared_ptr<Encoder> encoder, const TrainerSpec& spec);
  ~Trainer();

  std::vector<TensorInfo> tensors() const;
  void set_groups(std::vector<double> weight_decays, std::map<std::string, int> groups);
  void load(const std::vector<TensorRange>& ranges);
  void dump(const std::vector<TensorRange>& ranges);
  std::optional<StepReport> step(const PackedBatch& batch, const StepOptions& options);
  // A step in two halves, for a loss that the caller computes. `out` has `size` floats. Anything but a load() may
  // come in between. A step or another embed() drops the first half. Other calls keep it.
  void embed(PackedBatch batch, float* out, int64_t size, const StepOptions& options);
  std::optional<StepReport> apply(const ExternalLoss& external, const StepOptions& options);
  Evaluation evaluate(const PackedBatch& batch, int64_t loss = 0);
  std::vector<int64_t> counters();
  void set_counters(const std::vector<int64_t>& counters);
  // Frees gradients, moments and loss parameters, and releases the encoder. Every later call throws ERR_DISPOSED.
  void dispose();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace st
